#include "base/json.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <type_traits>

#include <metaflow/error.hpp>

#include "base/utf8.hpp"

namespace metaflow {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";

/// Whether a byte is a whole character that a JSON string holds as it is.
bool stands_for_itself(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

void append_escape(std::string& out, unsigned unit) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += hex_digits[(unit >> shift) & 15u];
}

void append_code_point(std::string& out, char32_t code) {
  switch (code) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    default:
      break;
  }
  if (code >= 0x20 && code < 0x7f) {
    out += static_cast<char>(code);
  } else if (code < 0x10000) {
    append_escape(out, code);
  } else {
    append_escape(out, 0xd800u + ((code - 0x10000) >> 10));
    append_escape(out, 0xdc00u + ((code - 0x10000) & 0x3ffu));
  }
}

void append_value(std::string& out, const JsonValue& value) {
  if (value.is_object()) {
    out += '{';
    const char* separator = "";
    for (const auto& [name, member] : value.items()) {
      out += separator;
      append_json_string(out, name);
      out += ": ";
      append_value(out, member);
      separator = ", ";
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    const char* separator = "";
    for (const auto& item : value) {
      out += separator;
      append_value(out, item);
      separator = ", ";
    }
    out += ']';
  } else if (value.is_string()) {
    append_json_string(out, value.get_ref<const std::string&>());
  } else {
    out += value.dump();
  }
}

}  // namespace

namespace {

/// How deep objects and arrays are nested, if the text is JSON.
int depth_of(std::string_view text) {
  int depth = 0, deepest = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
      case '{':
      case '[':
        deepest = std::max(deepest, ++depth);
        break;
      case '}':
      case ']':
        --depth;
        break;
      case '"':
        for (++i; i < text.size() && text[i] != '"'; ++i)
          if (text[i] == '\\') ++i;
        break;
      default:
        break;
    }
  }
  return deepest;
}

/// Whether get<T>() gives what is there, and not what it could be made into.
template <class T>
bool is_exactly(const JsonValue& value) {
  if constexpr (std::is_same_v<T, std::int64_t>)
    return value.is_number_integer() &&
           !(value.is_number_unsigned() && value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max());
  else if constexpr (std::is_same_v<T, std::string>)
    return value.is_string();
  else
    return true;
}

/// Runs a parser of nlohmann's over `text`; what it throws becomes an error about `file`.
template <class Parse>
auto with_file_named(std::string_view text, std::string_view file, Parse parse) {
  try {
    return parse();
  } catch (const JsonValue::parse_error& error) {
    throw Error(ErrorCode::corrupt, "'" + std::string(file) + "' is damaged: no JSON at byte " +
                                        std::to_string(error.byte) + " of " + std::to_string(text.size()));
  } catch (const JsonValue::exception&) {  // out_of_range: what follows the grammar, but fits no double
    throw Error(ErrorCode::corrupt, "'" + std::string(file) + "' is damaged: a number in it is too large");
  }
}

}  // namespace

JsonValue parse_json(std::string_view text, std::string_view file) {
  if (depth_of(text) > Value::max_depth)
    throw Error(ErrorCode::corrupt, "'" + std::string(file) + "' is damaged: it is nested more than " +
                                        std::to_string(Value::max_depth) + " levels deep");
  return with_file_named(text, file, [&] { return JsonValue::parse(text); });
}

// nlohmann hands over the exception that it would have thrown.
bool JsonHandler::parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) {
  if (const auto* malformed = dynamic_cast<const JsonValue::parse_error*>(&error)) throw *malformed;
  throw dynamic_cast<const JsonValue::out_of_range&>(error);
}

void read_json(std::string_view text, std::string_view file, JsonHandler& handler) {
  with_file_named(text, file, [&] { JsonValue::sax_parse(text, &handler); });
}

template <class T>
T json_member(const JsonValue& object, const char* name, std::string_view file) {
  const auto damaged = [&](const char* what) {
    return Error(ErrorCode::corrupt, "'" + std::string(file) + "' is damaged: '" + name + "' " + what);
  };
  if (!object.is_object()) throw damaged("is looked for, but the file holds no object");
  const auto found = object.find(name);
  if (found == object.end()) throw damaged("is missing");
  if (!is_exactly<T>(*found)) throw damaged("has the wrong type");
  return found->get<T>();
}
template std::string json_member<std::string>(const JsonValue&, const char*, std::string_view);
template std::int64_t json_member<std::int64_t>(const JsonValue&, const char*, std::string_view);
template JsonValue json_member<JsonValue>(const JsonValue&, const char*, std::string_view);

Value value_of(const JsonValue& json) {
  switch (json.type()) {
    case JsonValue::value_t::boolean:
      return json.get<bool>();
    case JsonValue::value_t::number_integer:
      return json.get<std::int64_t>();
    case JsonValue::value_t::number_unsigned:
      return Value::from_unsigned(json.get<std::uint64_t>());
    case JsonValue::value_t::number_float:
      return json.get<double>();
    case JsonValue::value_t::string:
      return json.get_ref<const std::string&>();
    case JsonValue::value_t::array: {
      std::vector<Value> items;
      for (const auto& item : json) items.push_back(value_of(item));
      return Value::list(std::move(items));
    }
    case JsonValue::value_t::object: {
      std::vector<Value::Pair> pairs;
      for (const auto& [key, item] : json.items()) pairs.emplace_back(key, value_of(item));
      return Value::dict(std::move(pairs));
    }
    case JsonValue::value_t::null:
    case JsonValue::value_t::binary:
    case JsonValue::value_t::discarded:
      break;
  }
  return {};
}

std::string dump_json(const JsonValue& value) {
  std::string out;
  append_value(out, value);
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const auto plain = std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(i), text.end(), stands_for_itself);
    const auto length = static_cast<std::size_t>(plain - text.begin()) - i;
    out.append(text, i, length);
    i += length;
    if (i < text.size()) append_code_point(out, decode_code_point(text, i).value_or(0xfffd));
  }
  out += '"';
}

void JsonObject::key(std::string_view name) {
  out_ += out_.empty() ? "{" : ", ";
  append_json_string(out_, name);
  out_ += ": ";
}

JsonObject& JsonObject::text(std::string_view name, std::string_view value) {
  key(name);
  append_json_string(out_, value);
  return *this;
}

JsonObject& JsonObject::number(std::string_view name, std::int64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  return raw(name, std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
  key(name);
  out_ += json;
  return *this;
}

std::string JsonObject::take() {
  if (out_.empty()) out_ = "{";
  out_ += '}';
  return std::exchange(out_, {});
}

}  // namespace metaflow
