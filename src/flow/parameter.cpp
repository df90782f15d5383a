#include <metaflow/parameter.hpp>

#include <charconv>
#include <cmath>

#include <metaflow/error.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

namespace metaflow::detail {
namespace {

[[noreturn]] void refuse(std::string_view option, std::string_view text, const std::string& expected) {
  throw Error(ErrorCode::usage,
              "Invalid value for '--" + std::string(option) + "': '" + sanitized_utf8(text) + "' is not " + expected);
}

/// The number in `text`, nothing when it is none or does not fit.
template <class Number>
std::optional<Number> read_number(std::string_view text) {
  text = trimmed(text);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// The text under `url` in a descriptor, which lies somewhere inside what was stored.
std::optional<std::string> find_url(const Value& value) {
  if (value.kind() == ValueKind::dict) {
    if (const auto* url = value.find("url"); url && url->kind() == ValueKind::text) return std::string(url->as_text());
    for (const auto& [key, item] : value.pairs())
      if (auto found = find_url(item)) return found;
  }
  if (value.kind() == ValueKind::object) {
    const auto& object = value.as_object();
    for (const auto& argument : object.arguments)
      if (auto found = find_url(argument)) return found;
    if (object.state) return find_url(*object.state);
  }
  return std::nullopt;
}

}  // namespace

bool parse_boolean(std::string_view option, std::string_view text) {
  const auto word = lower_case(trimmed(text));
  for (const auto* yes : {"true", "t", "1", "yes", "y", "on"})
    if (word == yes) return true;
  for (const auto* no : {"false", "f", "0", "no", "n", "off"})
    if (word == no) return false;
  refuse(option, text, "a valid boolean: write true or false");
}

std::int64_t parse_integer(std::string_view option, std::string_view text, std::int64_t lowest, std::int64_t highest) {
  const auto number = read_number<std::int64_t>(text);
  if (number && *number >= lowest && *number <= highest) return *number;
  refuse(option, text, "a valid integer from " + std::to_string(lowest) + " to " + std::to_string(highest));
}

std::uint64_t parse_unsigned(std::string_view option, std::string_view text, std::uint64_t highest) {
  const auto number = read_number<std::uint64_t>(text);
  if (number && *number <= highest) return *number;
  refuse(option, text, "a valid integer from 0 to " + std::to_string(highest));
}

double parse_real(std::string_view option, std::string_view text) {
  if (const auto number = read_number<double>(text)) return *number;
  refuse(option, text, "a valid float: a number such as 0.5 or 1e-3 that fits 64 bits");
}

std::string parse_text(std::string_view option, std::string_view text) {
  if (!is_utf8(text)) refuse(option, text, "valid UTF-8");
  return std::string(text);
}

Value parse_json_value(std::string_view option, std::string_view text) {
  if (!is_utf8(text)) refuse(option, text, "valid UTF-8");
  try {
    return value_of(metaflow::parse_json(text, "the value"));
  } catch (const Error& error) {
    refuse(option, text, std::string("valid JSON: ") + error.what());
  }
}

void throw_no_choice(std::string_view option, std::string_view text, std::string_view choices) {
  refuse(option, text, "one of " + std::string(choices));
}

std::vector<std::string_view> split_list(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> items;
  if (text.empty()) return items;
  if (separator.empty()) return {text};
  for (auto end = text.find(separator); end != std::string_view::npos; end = text.find(separator)) {
    items.push_back(text.substr(0, end));
    text.remove_prefix(end + separator.size());
  }
  items.push_back(text);
  return items;
}

std::string default_text(const Value& value) { return value.str(); }

Encoded owned(const Encoded& value) {
  Encoded copy;
  copy.type = value.type;
  for (std::size_t i = 0; i < value.pickle.count(); ++i) {
    const auto piece = value.pickle.piece(i);
    copy.pickle.own(std::string(reinterpret_cast<const char*>(piece.data()), piece.size()));
  }
  return copy;
}

std::optional<std::string> included_url(Buffer pickle) {
  const auto value = pickle::decode(std::move(pickle));
  if (value.is_none()) return std::nullopt;
  if (auto url = find_url(value)) return url;
  throw Error(ErrorCode::invalid, "expected the descriptor of an include file, found " + value.type_name());
}

void require_utf8(std::string_view content, std::string_view parameter) {
  if (is_utf8(content)) return;
  throw Error(ErrorCode::invalid,
              "the file given as --" + std::string(parameter) +
                  " is not UTF-8 text: convert it, or declare mf::IncludeFile<std::vector<std::byte>>");
}

}  // namespace metaflow::detail
