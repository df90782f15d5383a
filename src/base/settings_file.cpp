#include "base/settings_file.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <memory>

#include <metaflow/error.hpp>

#include "base/configuration.hpp"
#include "base/files.hpp"

namespace metaflow {
namespace {

constexpr std::string_view headline = "Invalid configuration";

/// Both from 1; the column counts bytes.
std::string place_of(std::string_view text, std::size_t byte) {
  const auto before = text.substr(0, std::min(byte, text.size()));
  const auto lines = static_cast<std::size_t>(std::ranges::count(before, '\n'));
  const auto line_start = before.rfind('\n');
  const auto column = before.size() - (line_start == std::string_view::npos ? 0 : line_start + 1) + 1;
  return "line " + std::to_string(lines + 1) + ", column " + std::to_string(column);
}

/// Where the word or string begins that ends with the byte `last`: the parser names the end of what it did not want.
std::size_t start_of_token(std::string_view text, std::size_t last) {
  if (last >= text.size()) return last;
  if (text[last] != '"') {
    while (last > 0 && std::isalnum(static_cast<unsigned char>(text[last - 1])) != 0) --last;
    return last;
  }
  const auto is_escaped = [&](std::size_t quote) {
    const auto plain = text.find_last_not_of('\\', quote - 1);
    return (quote - 1 - plain) % 2 == 1;
  };
  auto quote = text.rfind('"', last - 1);
  while (quote != std::string_view::npos && quote > 0 && is_escaped(quote)) quote = text.rfind('"', quote - 1);
  return quote == std::string_view::npos ? last : quote;
}

/// Where a text stops being JSON; nothing if it is some, or wrong in another way.
std::optional<std::string> place_of_mistake(const std::string& text) {
  try {
    [[maybe_unused]] const auto value = JsonValue::parse(text);
  } catch (const JsonValue::parse_error& error) {
    return place_of(text, start_of_token(text, error.byte == 0 ? 0 : error.byte - 1));
  } catch (const JsonValue::exception&) {  // parse_json says what is wrong
  }
  return std::nullopt;
}

JsonValue parse_with_place(const std::string& text, const std::string& path) {
  try {
    return parse_json(text, path);
  } catch (const Error& error) {
    const auto place = place_of_mistake(text);
    throw Error(ErrorCode::invalid,
                (place ? "'" + path + "' is damaged: it is no JSON at " + *place : std::string(error.what())) +
                    "; correct or remove it",
                std::string(headline));
  }
}

/// Where a chain of links leads; the path itself when it is none, or leads nowhere.
std::string without_links(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? real.get() : path;
}

std::string variable(const char* name) {
  const auto* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Settings parse_settings(const std::string& text, const std::string& path) {
  const auto values = parse_with_place(text, path);
  if (!values.is_object())
    throw Error(
        ErrorCode::invalid,
        "'" + path + R"(' should hold one JSON object of settings, {"METAFLOW_USER": "ann"}; correct or remove it)",
        std::string(headline));
  return values.get<Settings>();
}

std::optional<Settings> read_settings(const std::string& path) {
  const auto text = read_text_file(path);
  if (!text) return std::nullopt;
  return parse_settings(*text, path);
}

std::optional<std::string> setting_text(const JsonValue& value) {
  if (value.is_null()) return std::nullopt;
  return value.is_string() ? value.get<std::string>() : dump_json(value);
}

std::string settings_document(const Settings& settings) {
  constexpr int indent = 4;
  return JsonValue(settings).dump(indent, ' ', true, JsonValue::error_handler_t::replace);
}

void write_settings(const std::string& path, const Settings& settings) {
  replace_file(without_links(path), settings_document(settings));
}

std::string settings_folder() {
  const auto* folder = std::getenv("METAFLOW_HOME");
  return folder == nullptr ? home_directory() + "/.metaflowconfig" : folder;
}

std::string active_profile() { return variable("METAFLOW_PROFILE"); }

std::string profile_file(std::string_view profile) {
  if (profile.empty()) return settings_folder() + "/config.json";
  const auto has_no_place = [](unsigned char c) { return c == '/' || c < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(profile, has_no_place))
    throw Error(ErrorCode::invalid,
                "'" + std::string(profile) +
                    "' is no name for a profile: it becomes a part of a file's name, so no '/' may be in it",
                std::string(headline));
  return settings_folder() + "/config_" + std::string(profile) + ".json";
}

}  // namespace metaflow
