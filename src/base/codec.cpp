#include <metaflow/codec.hpp>

#include "base/numpy.hpp"
#include "base/unicode.hpp"
#include "base/value_nodes.hpp"

namespace metaflow::detail {
namespace {

constexpr std::size_t shown = 60;

std::string excerpt(const Value& value) {
  if (value.kind() == ValueKind::array || value.kind() == ValueKind::object || value.kind() == ValueKind::global)
    return {};
  if (node_weight(value) > 16) return {};
  const std::string text = value.repr();
  const auto part = first_code_points(text, shown);
  return " (" + std::string(part) + (part.size() < text.size() ? "…)" : ")");
}

/// The plain number that a numpy scalar, or array without axes, is; all else as it is. `storage` holds what had to be made.
const Value& plain(const Value& value, Value& storage) {
  if (value.kind() != ValueKind::array || !value.as_array().shape.empty()) return value;
  return storage = array_item(value.as_array(), 0);
}

}  // namespace

void wrong_type(const Value& value, std::string_view asked) {
  throw Error(ErrorCode::invalid, "the value is of type " + value.type_name() + excerpt(value) +
                                      ", which cannot be read as " + std::string(asked));
}

void wrong_length(const Value& value, std::size_t asked) {
  throw Error(ErrorCode::invalid, "the " + value.type_name() + " has " + std::to_string(value.size()) +
                                      " items, not the " + std::to_string(asked) + " asked for");
}

void no_such_key(const Value&, std::string_view key) {
  throw Error(ErrorCode::invalid, "the dict has no key '" + std::string(key) + "', which the struct has as a field");
}

void unknown_enumerator(std::string_view name, std::string_view known) {
  throw Error(ErrorCode::invalid, "'" + std::string(name) + "' is none of: " + std::string(known));
}

void unnamed_enumerator(long long value) {
  throw Error(ErrorCode::invalid, "no enumerator has the value " + std::to_string(value) +
                                      "; enums are stored by name, for values from -128 to 255");
}

bool read_integer(const Value& given, std::span<std::byte> out, bool is_signed, std::string_view asked) {
  Value storage;
  const Value& value = plain(given, storage);
  std::byte small[8];
  std::span<const std::byte> bytes;
  if (value.kind() == ValueKind::integer) {
    const auto number = value.as_integer();
    std::memcpy(small, &number, sizeof number);
    bytes = small;
  } else if (value.kind() == ValueKind::big_integer) {
    bytes = std::as_bytes(std::span(node_as<TextNode>(value).text));
  } else {
    wrong_type(given, asked);
  }
  const bool is_negative = (std::to_integer<int>(bytes.back()) & 0x80) != 0;
  if (is_negative && !is_signed) return false;
  const auto filler = is_negative ? std::byte{0xff} : std::byte{0};
  for (std::size_t i = out.size(); i < bytes.size(); ++i)
    if (bytes[i] != filler) return false;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = i < bytes.size() ? bytes[i] : filler;
  const bool out_is_negative = (std::to_integer<int>(out.back()) & 0x80) != 0;
  return !is_signed || out_is_negative == is_negative;
}

double read_real(const Value& given) {
  Value storage;
  const Value& value = plain(given, storage);
  if (value.kind() != ValueKind::real && value.kind() != ValueKind::integer) wrong_type(given, "float");
  return value.as_real();
}

bool read_boolean(const Value& given) {
  Value storage;
  const Value& value = plain(given, storage);
  if (value.kind() != ValueKind::boolean) wrong_type(given, "bool");
  return value.as_boolean();
}

std::string_view read_text(const Value& value, std::string_view asked) {
  if (value.kind() != ValueKind::text) wrong_type(value, asked);
  return value.as_text();
}

std::span<const std::byte> read_bytes(const Value& value) {
  if (value.kind() != ValueKind::bytes) wrong_type(value, "bytes");
  return value.as_bytes();
}

std::span<const Value> read_items(const Value& value, std::vector<Value>& storage) {
  switch (value.kind()) {
    case ValueKind::list:
    case ValueKind::tuple:
    case ValueKind::set:
    case ValueKind::frozenset:
      return value.items();
    case ValueKind::array:
      break;
    default:
      wrong_type(value, "list");
  }
  const auto& array = value.as_array();
  if (array.shape.size() != 1)
    throw Error(ErrorCode::invalid, "a numpy.ndarray of " + std::to_string(array.shape.size()) +
                                        " axes cannot be read as list; ask for an Array");
  storage.reserve(array.count());
  for (std::size_t i = 0; i < array.count(); ++i) storage.push_back(array_item(array, i));
  return storage;
}

std::span<const Value::Pair> read_pairs(const Value& value) {
  if (value.kind() != ValueKind::dict) wrong_type(value, "dict");
  return value.pairs();
}

}  // namespace metaflow::detail
