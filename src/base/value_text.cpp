#include <charconv>
#include <cmath>
#include <cstring>

#include <metaflow/value.hpp>

#include "base/numpy.hpp"
#include "base/unicode.hpp"
#include "base/value_nodes.hpp"

namespace metaflow {
namespace {

constexpr std::size_t most_digits = 4300;       // what Python converts without asking
constexpr std::size_t most_array_items = 1000;  // numpy shortens beyond that too

void append_hexadecimal(std::string& text, std::string_view little_endian) {
  static constexpr char digits[] = "0123456789abcdef";
  for (std::size_t i = little_endian.size(); i-- > 0;) {
    const auto byte = static_cast<unsigned char>(little_endian[i]);
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
}

std::string negated(std::string_view little_endian) {
  std::string result(little_endian);
  int carry = 1;
  for (auto& c : result) {
    carry += static_cast<unsigned char>(~c);
    c = static_cast<char>(carry);
    carry >>= 8;
  }
  return result;
}

/// Decimal digits by repeated division of the whole number by 10^9.
std::string decimal(std::string_view magnitude) {
  std::vector<std::uint32_t> words((magnitude.size() + 3) / 4);
  for (std::size_t i = 0; i < magnitude.size(); ++i)
    words[i / 4] |= std::uint32_t{static_cast<unsigned char>(magnitude[i])} << (8 * (i % 4));
  std::string digits;  // lowest first
  while (!words.empty()) {
    std::uint64_t rest = 0;
    for (std::size_t i = words.size(); i-- > 0;) {
      rest = (rest << 32) | words[i];
      words[i] = static_cast<std::uint32_t>(rest / 1'000'000'000);
      rest %= 1'000'000'000;
    }
    while (!words.empty() && words.back() == 0) words.pop_back();
    for (int i = 0; i < 9; ++i, rest /= 10) digits += static_cast<char>('0' + rest % 10);
  }
  while (digits.size() > 1 && digits.back() == '0') digits.pop_back();
  return {digits.rbegin(), digits.rend()};
}

void append_big_integer(std::string& text, std::string_view little_endian) {
  const bool negative = static_cast<unsigned char>(little_endian.back()) & 0x80;
  const std::string magnitude = negative ? negated(little_endian) : std::string(little_endian);
  if (negative) text += '-';
  if (magnitude.size() > most_digits * 415 / 1000) {  // log(10)/log(256)
    text += "0x";
    append_hexadecimal(text, magnitude);
  } else {
    text += decimal(magnitude);
  }
}

void append_escaped(std::string& text, char32_t point) {
  static constexpr char digits[] = "0123456789abcdef";
  const int width = point < 0x100 ? 2 : point < 0x10000 ? 4 : 8;
  text += width == 2 ? "\\x" : width == 4 ? "\\u" : "\\U";
  for (int i = width - 1; i >= 0; --i) text += digits[(point >> (4 * i)) & 15];
}

char quote_for(std::string_view content) {
  const bool has_single = content.find('\'') != content.npos;
  return has_single && content.find('"') == content.npos ? '"' : '\'';
}

/// What str and bytes literals have in common; false for all else.
bool append_common_character(std::string& text, char32_t point, char quote) {
  switch (point) {
    case '\n':
      text += "\\n";
      return true;
    case '\r':
      text += "\\r";
      return true;
    case '\t':
      text += "\\t";
      return true;
    case '\\':
      text += "\\\\";
      return true;
    default:
      break;
  }
  if (point < 0x20 || point >= 0x7f) return false;
  if (point == static_cast<char32_t>(quote)) text += '\\';
  text += static_cast<char>(point);
  return true;
}

void append_text(std::string& text, std::string_view content) {
  const char quote = quote_for(content);
  text += quote;
  for (std::size_t i = 0; i < content.size();) {
    const char32_t point = next_code_point(content, i);
    if (append_common_character(text, point, quote)) continue;
    if (is_printable(point))
      append_utf8(text, point);
    else
      append_escaped(text, point);
  }
  text += quote;
}

void append_bytes(std::string& text, std::span<const std::byte> content) {
  const std::string_view characters(reinterpret_cast<const char*>(content.data()), content.size());
  const char quote = quote_for(characters);
  text += 'b';
  text += quote;
  for (const char c : characters) {
    const auto byte = static_cast<unsigned char>(c);
    if (!append_common_character(text, byte, quote)) append_escaped(text, byte);
  }
  text += quote;
}

void append(std::string& text, const Value& value);

template <class Items>
void append_items(std::string& text, std::string_view open, const Items& items, std::string_view close) {
  text += open;
  bool first = true;
  for (const auto& item : items) {
    if (!std::exchange(first, false)) text += ", ";
    append(text, item);
  }
  text += close;
}

void append_pairs(std::string& text, std::span<const Value::Pair> pairs) {
  text += '{';
  for (const auto& [key, value] : pairs) {
    if (text.back() != '{' || &key != &pairs.front().first) text += ", ";
    append(text, key);
    text += ": ";
    append(text, value);
  }
  text += '}';
}

void append_array_axis(std::string& text, const Value& array, std::size_t axis, std::size_t& index) {
  const auto& content = array.as_array();
  if (axis == content.shape.size()) {
    append(text, detail::array_item(content, index++));
    return;
  }
  text += '[';
  for (std::size_t i = 0; i < content.shape[axis]; ++i) {
    if (i > 0) text += ", ";
    append_array_axis(text, array, axis + 1, index);
  }
  text += ']';
}

void append_array(std::string& text, const Value& value) {
  const auto& array = value.as_array();
  if (array.is_scalar) {
    append(text, detail::array_item(array, 0));
  } else if (array.count() <= most_array_items && array.shape.size() <= 32 && array.count() > 0) {
    std::size_t index = 0;
    text += "array(";
    append_array_axis(text, value, 0, index);
    text += ")";
  } else {
    text += "<numpy.ndarray of shape (";
    for (const auto extent : array.shape) text += std::to_string(extent) + ",";
    if (array.shape.size() > 1) text.pop_back();
    text += ") and dtype " + array.dtype + ">";
  }
}

void append_object(std::string& text, const Value& value) {
  const auto& object = value.as_object();
  text += '<' + value.type_name();
  if (!object.arguments.empty()) append_items(text, " (", object.arguments, ")");
  if (object.state) text += ' ', append(text, *object.state);
  if (!object.items.empty()) append_items(text, " [", object.items, "]");
  if (!object.pairs.empty()) text += ' ', append_pairs(text, object.pairs);
  text += '>';
}

void append(std::string& text, const Value& value) {
  switch (value.kind()) {
    case ValueKind::none:
      text += "None";
      break;
    case ValueKind::boolean:
      text += value.as_boolean() ? "True" : "False";
      break;
    case ValueKind::integer:
      text += std::to_string(value.as_integer());
      break;
    case ValueKind::big_integer:
      append_big_integer(text, detail::node_as<detail::TextNode>(value).text);
      break;
    case ValueKind::real:
      text += detail::real_text(value.as_real());
      break;
    case ValueKind::text:
      append_text(text, value.as_text());
      break;
    case ValueKind::bytes:
      if (value.type_name() == "bytearray") text += "bytearray(";
      append_bytes(text, value.as_bytes());
      if (value.type_name() == "bytearray") text += ')';
      break;
    case ValueKind::list:
      append_items(text, "[", value.items(), "]");
      break;
    case ValueKind::tuple:
      append_items(text, "(", value.items(), value.size() == 1 ? ",)" : ")");
      break;
    case ValueKind::set:
      value.size() == 0 ? void(text += "set()") : append_items(text, "{", value.items(), "}");
      break;
    case ValueKind::frozenset:
      value.size() == 0 ? void(text += "frozenset()") : append_items(text, "frozenset({", value.items(), "})");
      break;
    case ValueKind::dict:
      append_pairs(text, value.pairs());
      break;
    case ValueKind::array:
      append_array(text, value);
      break;
    case ValueKind::object:
      append_object(text, value);
      break;
    case ValueKind::global: {
      const auto [module, name] = value.as_global();
      text += "<class '" + (module == "builtins" ? "" : std::string(module) + '.') + std::string(name) + "'>";
      break;
    }
  }
}

}  // namespace

namespace detail {

std::string real_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto* end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  std::string result(text.front() == '-' ? "-" : "");
  text.remove_prefix(result.size());
  const auto e = text.find('e');
  int exponent = 0;
  const auto digits_at = e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(text.data() + digits_at, text.data() + text.size(), exponent);
  std::string digits(text.substr(0, 1));
  if (e > 2) digits += text.substr(2, e - 2);
  const auto count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {  // 1e+16, 1.5e-05: at least two digits of exponent
    result += digits.substr(0, 1) + (count > 1 ? "." + digits.substr(1) : "") + (exponent < 0 ? "e-" : "e+");
    return result + (std::abs(exponent) < 10 ? "0" : "") + std::to_string(std::abs(exponent));
  }
  if (exponent < 0) return result + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  if (count <= exponent + 1)
    return result + digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0') + ".0";
  const auto point = static_cast<std::size_t>(exponent + 1);
  return result + digits.substr(0, point) + '.' + digits.substr(point);
}

}  // namespace detail

std::string Value::repr() const {
  std::string text;
  append(text, *this);
  return text;
}

std::string Value::str() const { return kind() == Kind::text ? std::string(as_text()) : repr(); }

}  // namespace metaflow
