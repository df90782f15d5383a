#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <metaflow/value.hpp>

#include <nlohmann/json.hpp>

namespace metaflow {

using JsonValue = nlohmann::json;

/// The value in `text`. Error(corrupt) that names `file` and the place when it is no JSON, and when it is nested deeper
/// than a Value may be: what walks through it may recurse.
JsonValue parse_json(std::string_view text, std::string_view file);

/// Is told of each part of a JSON text as it comes, instead of a tree being made. Members that are not overridden let their part pass.
class JsonHandler : public nlohmann::json_sax<JsonValue> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  [[noreturn]] bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override;
};
/// Tells `handler` of all of `text`, however deep it is nested; errors are those of parse_json, and what the handler
/// throws.
void read_json(std::string_view text, std::string_view file, JsonHandler& handler);

/// Member `name` of an object as T. Error(corrupt) that names `file` when it is missing or of another type; a number
/// that does not fit T is.
template <class T>
T json_member(const JsonValue& object, const char* name, std::string_view file);

/// The same as a Value: objects are dicts.
Value value_of(const JsonValue& json);

/// As Python's json.dumps writes it: pure ASCII, separators `", "` and `": "`. Text that is not UTF-8 gets U+FFFD.
std::string dump_json(const JsonValue& value);

/// Adds `text` as a JSON string: quoted, pure ASCII.
void append_json_string(std::string& out, std::string_view text);

/// Builds the text of one object member by member: the small records written for every task need no tree.
class JsonObject {
 public:
  JsonObject& text(std::string_view name, std::string_view value);
  JsonObject& number(std::string_view name, std::int64_t value);
  /// `json` is JSON text already.
  JsonObject& raw(std::string_view name, std::string_view json);
  /// The whole object; the builder is empty afterwards.
  std::string take();

 private:
  void key(std::string_view name);
  std::string out_;
};

/// A list of strings as JSON text, from any range of strings.
template <class Range>
std::string json_list(const Range& texts) {
  std::string out = "[";
  for (const auto& text : texts) {
    if (out.size() > 1) out += ", ";
    append_json_string(out, text);
  }
  return out + "]";
}

}  // namespace metaflow
