#include <metaflow/value.hpp>

#include <unordered_map>

#include <metaflow/error.hpp>

#include "base/numpy.hpp"
#include "base/unicode.hpp"
#include "base/value_nodes.hpp"

namespace metaflow {
namespace {

using detail::node_as;
using detail::ValueAccess;

std::string_view kind_name(ValueKind kind) {
  switch (kind) {
    case ValueKind::none:
      return "None";
    case ValueKind::boolean:
      return "bool";
    case ValueKind::integer:
    case ValueKind::big_integer:
      return "int";
    case ValueKind::real:
      return "float";
    case ValueKind::text:
      return "str";
    case ValueKind::bytes:
      return "bytes";
    case ValueKind::list:
      return "list";
    case ValueKind::tuple:
      return "tuple";
    case ValueKind::dict:
      return "dict";
    case ValueKind::set:
      return "set";
    case ValueKind::frozenset:
      return "frozenset";
    case ValueKind::array:
      return "numpy.ndarray";
    case ValueKind::object:
      return "object";
    case ValueKind::global:
      return "type";
  }
  return "object";
}

[[noreturn]] void wrong_kind(const Value& value, std::string_view asked) {
  std::string message = "the value is of type " + value.type_name();
  if (value.kind() == ValueKind::big_integer) message += " beyond 64 bits";
  throw Error(ErrorCode::invalid, message + ", not " + std::string(asked));
}

template <class T>
const T& checked(const Value& value, ValueKind kind) {
  if (value.kind() != kind) wrong_kind(value, kind_name(kind));
  return node_as<T>(value);
}

Value of_items(ValueKind kind, std::vector<Value> items) {
  auto node = std::make_shared<detail::ItemsNode>(kind);
  for (const auto& item : items) detail::count_child(*node, item);
  node->items = std::move(items);
  return ValueAccess::wrap(std::move(node));
}

/// Text keys are by far the most common; others are compared one by one.
std::vector<Value::Pair> without_repeated_keys(std::vector<Value::Pair> pairs) {
  std::unordered_map<std::string_view, std::size_t> texts;
  std::vector<std::size_t> others;
  std::vector<Value::Pair> kept;
  kept.reserve(pairs.size());
  for (auto& pair : pairs) {
    std::size_t* found = nullptr;
    if (pair.first.kind() == ValueKind::text) {
      const auto [entry, added] = texts.try_emplace(pair.first.as_text(), kept.size());
      if (!added) found = &entry->second;
    } else {
      for (auto& index : others)
        if (kept[index].first == pair.first) found = &index;
      if (!found) others.push_back(kept.size());
    }
    if (found)
      kept[*found].second = std::move(pair.second);
    else
      kept.push_back(std::move(pair));
  }
  return kept;
}

bool equal_pairs(std::span<const Value::Pair> a, std::span<const Value::Pair> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

bool equal_bytes(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

bool equal_objects(const ObjectContent& a, const ObjectContent& b) {
  return a.module == b.module && a.name == b.name && a.made == b.made && a.arguments == b.arguments &&
         equal_pairs(a.keywords, b.keywords) && a.state == b.state && a.items == b.items &&
         equal_pairs(a.pairs, b.pairs);
}

}  // namespace

std::size_t ArrayContent::item_size() const noexcept {
  std::size_t size = 0;
  for (const char c : std::string_view(dtype).substr(2)) size = size * 10 + static_cast<std::size_t>(c - '0');
  return dtype[1] == 'U' ? 4 * size : size;
}

std::size_t ArrayContent::count() const noexcept {
  std::size_t count = 1;
  for (const auto extent : shape) count *= extent;
  return count;
}

Value::Value(std::string_view text) {
  if (const auto valid = valid_utf8_length(text); valid != text.size())
    throw Error(ErrorCode::invalid, "text is not valid UTF-8 at byte " + std::to_string(valid) +
                                        "; store it as bytes (std::vector<std::byte>) instead");
  content_ = std::make_shared<const detail::TextNode>(ValueKind::text, text);
}

Value Value::from_unsigned(std::uint64_t value) {
  std::byte bytes[9]{};
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<std::byte>(value >> (8 * i));
  return integer(bytes);
}

Value Value::integer(std::span<const std::byte> bytes) {
  const auto sign = [&](std::size_t i) { return (std::to_integer<int>(bytes[i]) & 0x80) != 0; };
  const auto filler = [&](std::size_t i) { return std::byte{static_cast<unsigned char>(sign(i) ? 0xff : 0)}; };
  while (bytes.size() > 1 && bytes.back() == filler(bytes.size() - 2)) bytes = bytes.first(bytes.size() - 1);
  if (bytes.size() > 8) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return ValueAccess::wrap(std::make_shared<const detail::TextNode>(ValueKind::big_integer, text));
  }
  std::uint64_t number = !bytes.empty() && sign(bytes.size() - 1) ? ~std::uint64_t{0} : 0;
  for (std::size_t i = bytes.size(); i-- > 0;) number = (number << 8) | std::to_integer<std::uint64_t>(bytes[i]);
  return static_cast<std::int64_t>(number);
}

Value Value::bytes(std::span<const std::byte> content) {
  auto owner = std::make_shared<Buffer>(content.size());
  std::copy(content.begin(), content.end(), owner->data());
  const auto span = std::as_const(*owner).span();
  return ValueAccess::wrap(std::make_shared<const detail::BytesNode>(std::move(owner), span));
}

Value Value::list(std::vector<Value> items) { return of_items(Kind::list, std::move(items)); }
Value Value::tuple(std::vector<Value> items) { return of_items(Kind::tuple, std::move(items)); }
Value Value::set(std::vector<Value> items) { return of_items(Kind::set, std::move(items)); }
Value Value::frozenset(std::vector<Value> items) { return of_items(Kind::frozenset, std::move(items)); }

Value Value::dict(std::vector<Pair> pairs) {
  auto node = std::make_shared<detail::DictNode>();
  node->pairs = without_repeated_keys(std::move(pairs));
  for (const auto& [key, value] : node->pairs) {
    detail::count_child(*node, key);
    detail::count_child(*node, value);
  }
  return ValueAccess::wrap(std::move(node));
}

Value Value::array(ArrayContent content) {
  return ValueAccess::wrap(std::make_shared<const detail::ArrayNode>(std::move(content)));
}

Value Value::object(ObjectContent content) {
  auto node = std::make_shared<detail::ObjectNode>();
  for (const auto* values : {&content.arguments, &content.items})
    for (const auto& value : *values) detail::count_child(*node, value);
  for (const auto* pairs : {&content.keywords, &content.pairs})
    for (const auto& [key, value] : *pairs) detail::count_child(*node, key), detail::count_child(*node, value);
  if (content.state) detail::count_child(*node, *content.state);
  node->content = std::move(content);
  return ValueAccess::wrap(std::move(node));
}

Value Value::global(std::string_view module, std::string_view name) {
  return ValueAccess::wrap(std::make_shared<const detail::GlobalNode>(module, name));
}

Value::Kind Value::kind() const noexcept {
  static constexpr Kind plain[] = {Kind::none, Kind::boolean, Kind::integer, Kind::real};
  return content_.index() < 4 ? plain[content_.index()] : ValueAccess::node(*this)->kind;
}

std::string Value::type_name() const {
  switch (kind()) {
    case Kind::none:
      return "NoneType";
    case Kind::bytes:
      return node_as<detail::BytesNode>(*this).is_bytearray ? "bytearray" : "bytes";
    case Kind::array: {
      const auto& array = as_array();
      return array.is_scalar ? detail::numpy_scalar_type(array.dtype) : "numpy.ndarray";
    }
    case Kind::object: {
      const auto& object = as_object();
      const bool is_builtin = object.module == "builtins" || object.module == "__builtin__";
      return is_builtin ? object.name : object.module + '.' + object.name;
    }
    default:
      return std::string(kind_name(kind()));
  }
}

bool Value::as_boolean() const {
  if (const auto* value = std::get_if<bool>(&content_)) return *value;
  wrong_kind(*this, "bool");
}

std::int64_t Value::as_integer() const {
  if (const auto* value = std::get_if<std::int64_t>(&content_)) return *value;
  wrong_kind(*this, "int of 64 bits");
}

double Value::as_real() const {
  if (const auto* value = std::get_if<double>(&content_)) return *value;
  if (const auto* value = std::get_if<std::int64_t>(&content_)) return static_cast<double>(*value);
  wrong_kind(*this, "float");
}

std::string_view Value::as_text() const { return checked<detail::TextNode>(*this, Kind::text).text; }
std::span<const std::byte> Value::as_bytes() const { return checked<detail::BytesNode>(*this, Kind::bytes).bytes; }

std::span<const Value> Value::items() const {
  switch (kind()) {
    case Kind::list:
    case Kind::tuple:
    case Kind::set:
    case Kind::frozenset:
      return node_as<detail::ItemsNode>(*this).items;
    default:
      wrong_kind(*this, "list, tuple or set");
  }
}

std::span<const Value::Pair> Value::pairs() const { return checked<detail::DictNode>(*this, Kind::dict).pairs; }
const ArrayContent& Value::as_array() const { return checked<detail::ArrayNode>(*this, Kind::array).content; }
const ObjectContent& Value::as_object() const { return checked<detail::ObjectNode>(*this, Kind::object).content; }

std::pair<std::string_view, std::string_view> Value::as_global() const {
  const auto& node = checked<detail::GlobalNode>(*this, Kind::global);
  return {node.module, node.name};
}

const Value* Value::find(std::string_view key) const {
  for (const auto& [name, value] : pairs())
    if (name.kind() == Kind::text && name.as_text() == key) return &value;
  return nullptr;
}

const Value& Value::at(std::string_view key) const {
  if (const auto* value = find(key)) return *value;
  throw Error(ErrorCode::not_found, "the dict has no key '" + std::string(key) + "'");
}

const Value& Value::operator[](std::size_t index) const {
  const auto all = items();
  if (index < all.size()) return all[index];
  throw Error(ErrorCode::not_found, "the " + type_name() + " has " + std::to_string(all.size()) +
                                        " items, so none at index " + std::to_string(index));
}

std::size_t Value::size() const {
  switch (kind()) {
    case Kind::text:
      return as_text().size();
    case Kind::bytes:
      return as_bytes().size();
    case Kind::dict:
      return pairs().size();
    case Kind::array:
      return as_array().shape.empty() ? 1 : as_array().shape.front();
    default:
      return items().size();
  }
}

bool Value::operator==(const Value& other) const {
  if (kind() != other.kind()) return false;
  switch (kind()) {
    case Kind::none:
      return true;
    case Kind::boolean:
      return as_boolean() == other.as_boolean();
    case Kind::integer:
      return as_integer() == other.as_integer();
    case Kind::real:
      return as_real() == other.as_real();
    case Kind::text:
    case Kind::big_integer:
      return node_as<detail::TextNode>(*this).text == node_as<detail::TextNode>(other).text;
    case Kind::bytes:
      return equal_bytes(as_bytes(), other.as_bytes());
    case Kind::dict:
      return equal_pairs(pairs(), other.pairs());
    case Kind::object:
      return equal_objects(as_object(), other.as_object());
    case Kind::global:
      return as_global() == other.as_global();
    case Kind::array: {
      const auto &a = as_array(), &b = other.as_array();
      return a.dtype == b.dtype && a.shape == b.shape && a.fortran_order == b.fortran_order &&
             equal_bytes(a.bytes, b.bytes);
    }
    default:
      return std::equal(items().begin(), items().end(), other.items().begin(), other.items().end());
  }
}

}  // namespace metaflow
