#include <algorithm>

#include <metaflow/error.hpp>

#include "base/numpy.hpp"
#include "base/pickle_opcodes.hpp"
#include "base/pickle_reader.hpp"
#include "base/unicode.hpp"

// Classes and calls. None is made: a few that stand for plain data are recognized by name, all others are kept as described.
namespace metaflow::pickle::detail {

using metaflow::detail::node_as;
using metaflow::detail::ObjectNode;
using metaflow::detail::ValueAccess;
using Made = ObjectContent::Made;

namespace {

std::vector<Value> copy(std::span<const Value> values) { return {values.begin(), values.end()}; }

bool is_kind(const Value& value, std::initializer_list<ValueKind> kinds) {
  return std::find(kinds.begin(), kinds.end(), value.kind()) != kinds.end();
}

std::string latin1(std::string_view utf8, bool& fits) {
  std::string bytes;
  for (std::size_t i = 0; i < utf8.size();) {
    const char32_t point = next_code_point(utf8, i);
    fits = fits && point < 0x100;
    bytes += static_cast<char>(point);
  }
  return bytes;
}

/// The dtype text of a pickled numpy.dtype: `f8` from its arguments, the byte order from its state. Empty for dtypes with fields,
/// units or Python objects.
std::string plain_dtype(const Value& dtype) {
  if (dtype.kind() != ValueKind::object) return {};
  const auto& object = dtype.as_object();
  if (object.module != "numpy" || object.name != "dtype" || object.arguments.empty()) return {};
  if (object.arguments[0].kind() != ValueKind::text) return {};
  std::string text(object.arguments[0].as_text());
  if (!text.empty() && std::string_view("<>|").find(text[0]) == std::string_view::npos) text.insert(0, 1, '|');
  if (object.state) {
    const auto& state = *object.state;
    if (state.kind() != ValueKind::tuple || state.size() < 2 || state[1].kind() != ValueKind::text) return {};
    const auto order = state[1].as_text();
    if (order == "<" || order == ">") text[0] = order[0];
  }
  return metaflow::detail::is_plain_dtype(text) ? text : std::string{};
}

}  // namespace

void Reader::make_object(unsigned char code) {
  const auto global = [this](std::string_view module, std::string_view name) {
    if (valid_utf8_length(module) != module.size() || valid_utf8_length(name) != name.size())
      damaged("its class name is not valid UTF-8");
    return Value::global(module, name);
  };
  switch (code) {
    case GLOBAL: {
      const auto module = line();
      return push(global(module, line()));
    }
    case STACK_GLOBAL: {
      const auto names = pop_many(2);
      if (names[0].kind() != ValueKind::text || names[1].kind() != ValueKind::text) damaged("a class name is no text");
      return push(global(names[0].as_text(), names[1].as_text()));
    }
    case INST: {
      const auto module = line();
      auto made_by = global(module, line());
      return call(std::move(made_by), Value::tuple(pop_to_mark()), Made::called);
    }
    case OBJ: {
      auto parts = pop_to_mark();
      if (parts.empty()) damaged("it names no class");
      return call(parts.front(), Value::tuple(copy(std::span(parts).subspan(1))), Made::called);
    }
    case NEWOBJ_EX: {
      auto parts = pop_many(3);
      if (parts[2].kind() != ValueKind::dict) damaged("its keyword arguments are no dict");
      const auto keywords = parts[2].pairs();
      return call(parts[0], parts[1], Made::created, {keywords.begin(), keywords.end()});
    }
    case BUILD:
      return build();
    default: {
      auto parts = pop_many(2);
      return call(parts[0], parts[1], code == REDUCE ? Made::called : Made::created);
    }
  }
}

void Reader::call(Value callable, Value arguments, Made made, std::vector<Value::Pair> keywords) {
  if (callable.kind() != ValueKind::global) not_understood("it calls something that is not a class or function");
  if (arguments.kind() != ValueKind::tuple) damaged("its arguments are no tuple");
  const auto [module, name] = callable.as_global();
  const auto values = arguments.items();
  if (keywords.empty() && (call_builtin(module, name, values) || call_numpy(module, name, values))) return;
  push_object({.module = std::string(module),
               .name = std::string(name),
               .made = made,
               .arguments = copy(values),
               .keywords = std::move(keywords),
               .state = {},
               .items = {},
               .pairs = {}});
}

void Reader::push_object(ObjectContent content) {
  auto node = std::make_shared<ObjectNode>();
  for (const auto& argument : content.arguments) take_in(*node, argument);
  for (const auto& [key, value] : content.keywords) take_in(*node, key), take_in(*node, value);
  node->content = std::move(content);
  push(ValueAccess::wrap(std::move(node)));
}

/// Plain data that older protocols write as calls.
bool Reader::call_builtin(std::string_view module, std::string_view name, std::span<const Value> arguments) {
  const std::size_t count = arguments.size();
  if (module == "_codecs" && name == "encode" && count == 2 && arguments[0].kind() == ValueKind::text &&
      is_kind(arguments[1], {ValueKind::text}) &&
      (arguments[1].as_text() == "latin1" || arguments[1].as_text() == "latin-1")) {
    bool fits = true;
    const auto bytes = latin1(arguments[0].as_text(), fits);
    if (!fits) damaged("bytes hold a character beyond 255");
    push(Value::bytes(std::as_bytes(std::span(bytes))));
    return true;
  }
  if ((module == "copyreg" || module == "copy_reg") && name == "_reconstructor" && count == 3 &&
      arguments[0].kind() == ValueKind::global && arguments[2].is_none()) {
    const auto [class_module, class_name] = arguments[0].as_global();
    push_object({std::string(class_module), std::string(class_name), Made::created, {}, {}, {}, {}, {}});
    return true;
  }
  if (module != "builtins" && module != "__builtin__") return false;
  if ((name == "set" || name == "frozenset") && count <= 1) {
    if (count == 1 && !is_kind(arguments[0], {ValueKind::list, ValueKind::tuple})) return false;
    push_items(name == "set" ? ValueKind::set : ValueKind::frozenset,
               count == 1 ? copy(arguments[0].items()) : std::vector<Value>{});
    return true;
  }
  if ((name == "bytes" || name == "bytearray") && count == 0) {
    push_bytes({}, name == "bytearray");
    return true;
  }
  if (name == "bytearray" && arguments[0].kind() == ValueKind::bytes) {
    auto node = std::make_shared<metaflow::detail::BytesNode>(node_as<metaflow::detail::BytesNode>(arguments[0]));
    node->sealed = false;
    node->is_bytearray = true;
    push(ValueAccess::wrap(std::move(node)));
    return true;
  }
  return false;
}

bool Reader::call_numpy(std::string_view module, std::string_view name, std::span<const Value> arguments) {
  const bool is_multiarray = module == "numpy.core.multiarray" || module == "numpy._core.multiarray";
  const bool is_numeric = module == "numpy.core.numeric" || module == "numpy._core.numeric";
  const std::size_t count = arguments.size();
  if (is_multiarray && name == "scalar" && count == 2 && arguments[1].kind() == ValueKind::bytes) {
    if (plain_dtype(arguments[0]).empty()) return false;
    push_array(arguments[0], Value::tuple({}), arguments[1], false, true);
    return true;
  }
  if (is_numeric && name == "_frombuffer" && count == 4 && arguments[0].kind() == ValueKind::bytes &&
      arguments[2].kind() == ValueKind::tuple && arguments[3].kind() == ValueKind::text) {
    if (plain_dtype(arguments[1]).empty()) return false;
    push_array(arguments[1], arguments[2], arguments[0], arguments[3].as_text() == "F", false);
    return true;
  }
  if (is_multiarray && name == "_reconstruct" && count == 3 && arguments[0].kind() == ValueKind::global) {
    const auto [class_module, class_name] = arguments[0].as_global();
    push_object({std::string(class_module),
                 std::string(class_name),
                 Made::created,
                 copy(arguments.subspan(1)),
                 {},
                 {},
                 {},
                 {}});
    return true;
  }
  return false;
}

void Reader::build() {
  const Value state = pop();
  auto& below = growing_below(stack_.size());
  if (below.kind != ValueKind::object) damaged("a " + stack_.back().type_name() + " has no state to set");
  auto& object = static_cast<ObjectNode&>(below);
  if (build_array(object, state)) return;
  if (object.content.state) not_understood("the state of an object is set twice");
  take_in(object, state);
  object.content.state = state;
}

/// The state of a numpy.ndarray is (version, shape, dtype, is_fortran, bytes).
bool Reader::build_array(const ObjectNode& object, const Value& state) {
  if (object.content.module != "numpy" || object.content.name != "ndarray") return false;
  if (state.kind() != ValueKind::tuple || state.size() != 5) return false;
  if (state[1].kind() != ValueKind::tuple || state[3].kind() != ValueKind::boolean ||
      state[4].kind() != ValueKind::bytes)
    return false;
  if (plain_dtype(state[2]).empty()) return false;
  const Value placeholder = pop();
  push_array(state[2], state[1], state[4], state[3].as_boolean(), false);
  if (const auto memo = array_memo_.extract(ValueAccess::node(placeholder))) put(memo.mapped());
  return true;
}

void Reader::push_array(const Value& dtype, const Value& shape, const Value& bytes, bool fortran, bool scalar) {
  const auto& node = node_as<metaflow::detail::BytesNode>(bytes);
  ArrayContent array{plain_dtype(dtype), {}, fortran, scalar, node.owner, node.bytes};
  std::size_t size = array.item_size();
  for (const auto& extent : shape.items()) {
    if (extent.kind() != ValueKind::integer || extent.as_integer() < 0)
      damaged("the shape of an array is not made of lengths");
    array.shape.push_back(static_cast<std::size_t>(extent.as_integer()));
    if (__builtin_mul_overflow(size, array.shape.back(), &size)) damaged("the shape of an array is too large");
  }
  if (array.shape.size() > 64) damaged("an array has more than 64 axes");
  if (size != node.bytes.size())
    damaged("an array has " + std::to_string(node.bytes.size()) + " bytes where its shape needs " +
            std::to_string(size));
  push(Value::array(std::move(array)));
}

}  // namespace metaflow::pickle::detail
