#include <charconv>
#include <string>

#include <metaflow/error.hpp>

#include "base/pickle_opcodes.hpp"
#include "base/pickle_reader.hpp"
#include "base/unicode.hpp"

// Text, bytes and numbers: the opcodes of Reader that have an argument of any length.
namespace metaflow::pickle::detail {

using metaflow::detail::BytesNode;
using metaflow::detail::TextNode;
using metaflow::detail::ValueAccess;

namespace {

/// What Python converts without being asked twice; more would take quadratic time.
constexpr std::size_t most_digits = 4300;

std::optional<unsigned> hexadecimal(std::string_view digits) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

}  // namespace

void Reader::push_text(std::string_view bytes) {
  if (const auto valid = valid_utf8_length(bytes); valid != bytes.size()) {
    if (is_encoded_surrogate(bytes, valid)) not_understood("its text holds half of a surrogate pair");
    damaged("its text is not valid UTF-8");
  }
  push(ValueAccess::wrap(std::make_shared<const TextNode>(ValueKind::text, bytes)));
}

void Reader::push_bytes(std::string_view bytes, bool is_bytearray) {
  auto node = std::make_shared<BytesNode>(buffer_, std::as_bytes(std::span(bytes)));
  node->is_bytearray = is_bytearray;
  push(ValueAccess::wrap(std::move(node)));
}

void Reader::push_long(std::string_view little_endian) {
  push(Value::integer(std::as_bytes(std::span(little_endian))));
}

void Reader::read_line(unsigned char code) {
  const auto text = line();
  switch (code) {
    case INT:
      if (text == "00" || text == "01") return push(text == "01");
      return push_decimal(text);
    case LONG:
      return push_decimal(text.ends_with('L') ? text.substr(0, text.size() - 1) : text);
    case FLOAT:
      return push_real_text(text);
    case STRING:
      return push_quoted(text);
    default:
      return push_raw_unicode(text);
  }
}

void Reader::push_decimal(std::string_view text) {
  const bool negative = text.starts_with('-');
  const auto digits = text.substr(negative ? 1 : 0);
  if (digits.empty() || digits.find_first_not_of("0123456789") != digits.npos) damaged("its number is not decimal");
  if (digits.size() > most_digits) not_understood("its number has more than 4300 digits");
  std::string bytes;  // magnitude, lowest first
  for (const char digit : digits) {
    unsigned carry = static_cast<unsigned>(digit - '0');
    for (auto& byte : bytes) {
      carry += static_cast<unsigned char>(byte) * 10U;
      byte = static_cast<char>(carry);
      carry >>= 8;
    }
    if (carry > 0) bytes += static_cast<char>(carry);
  }
  bytes += '\0';
  unsigned carry = 1;
  for (auto& byte : bytes) {
    if (!negative) break;
    carry += static_cast<unsigned char>(~byte);
    byte = static_cast<char>(carry);
    carry >>= 8;
  }
  push_long(bytes);
}

void Reader::push_real_text(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) damaged("its number is no float");
  push(number);
}

/// Code points up to U+00FF stand for themselves, others as \uXXXX or \UXXXXXXXX.
void Reader::push_raw_unicode(std::string_view text) {
  std::string utf8;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escape = text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 'u' || text[i + 1] == 'U');
    if (!is_escape) {
      append_utf8(utf8, static_cast<unsigned char>(text[i]));
      continue;
    }
    const std::size_t width = text[i + 1] == 'u' ? 4 : 8;
    const auto digits = text.substr(i + 2, width);
    const auto point = hexadecimal(digits);
    if (digits.size() != width || !point || *point > 0x10ffff) damaged("its text has a broken escape");
    append_utf8(utf8, *point);
    i += 1 + width;
  }
  push_text(utf8);
}

/// Python 2's repr of a str.
void Reader::push_quoted(std::string_view text) {
  const bool is_quoted =
      text.size() >= 2 && (text.front() == '\'' || text.front() == '"') && text.back() == text.front();
  if (!is_quoted) damaged("its text is not quoted");
  text = text.substr(1, text.size() - 2);
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      plain += text[i];
      continue;
    }
    static constexpr std::string_view codes = "\\'\"nrtabfv", meaning = "\\'\"\n\r\t\a\b\f\v";
    const char code = ++i < text.size() ? text[i] : '\0';
    if (const auto known = codes.find(code); known != codes.npos && code != '\0') {
      plain += meaning[known];
    } else if (const auto byte =
                   code == 'x' && i + 2 < text.size() + 0 ? hexadecimal(text.substr(i + 1, 2)) : std::nullopt) {
      plain += static_cast<char>(*byte);
      i += 2;
    } else {
      damaged("its text has a broken escape");
    }
  }
  push_text(plain);
}

}  // namespace metaflow::pickle::detail
