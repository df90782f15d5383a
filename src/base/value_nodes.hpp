#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <metaflow/error.hpp>
#include <metaflow/value.hpp>

/// What Values of more than one machine word point to: shared by value.cpp, which makes them whole, and the pickle reader, which grows
/// them in place while it still owns them.
namespace metaflow::detail {

struct Node {
  ValueKind kind;
  /// Part of another value: may not grow any more. This is also what keeps a value from holding itself.
  bool sealed = false;
  int depth = 1;
  /// Size of the value written out as a tree, in units of about 16 bytes: shared parts count each time.
  std::uint64_t weight = 1;

 protected:
  explicit Node(ValueKind node_kind) : kind(node_kind) {}
};

struct TextNode : Node {  // text, big_integer (its bytes)
  TextNode(ValueKind node_kind, std::string_view content) : Node(node_kind), text(content) {
    weight += text.size() / 16;
  }
  std::string text;
};

struct BytesNode : Node {
  BytesNode(std::shared_ptr<const Buffer> buffer, std::span<const std::byte> content)
      : Node(ValueKind::bytes), owner(std::move(buffer)), bytes(content) {
    weight += bytes.size() / 16;
  }
  std::shared_ptr<const Buffer> owner;
  std::span<const std::byte> bytes;
  bool is_bytearray = false;
};

struct ItemsNode : Node {  // list, tuple, set, frozenset
  using Node::Node;
  explicit ItemsNode(ValueKind node_kind) : Node(node_kind) {}
  std::vector<Value> items;
};

struct DictNode : Node {
  DictNode() : Node(ValueKind::dict) {}
  std::vector<Value::Pair> pairs;
};

struct ArrayNode : Node {
  explicit ArrayNode(ArrayContent array) : Node(ValueKind::array), content(std::move(array)) {
    weight += content.bytes.size() / 16;
  }
  ArrayContent content;
};

struct ObjectNode : Node {
  ObjectNode() : Node(ValueKind::object) {}
  ObjectContent content;
};

struct GlobalNode : Node {
  GlobalNode(std::string_view in_module, std::string_view called)
      : Node(ValueKind::global), module(in_module), name(called) {}
  std::string module, name;
};

struct ValueAccess {
  static Value wrap(std::shared_ptr<const Node> node) { return Value(std::move(node)); }
  /// nullptr for values that fit a machine word.
  static const Node* node(const Value& value) {
    const auto* shared = std::get_if<std::shared_ptr<const Node>>(&value.content_);
    return shared ? shared->get() : nullptr;
  }
};

/// The node of a value whose kind is known to be that of T.
template <class T>
const T& node_as(const Value& value) {
  return static_cast<const T&>(*ValueAccess::node(value));
}

/// How large the value is when written out, in units of about 16 bytes.
inline std::uint64_t node_weight(const Value& value) {
  const auto* node = ValueAccess::node(value);
  return node ? node->weight : 1;
}

/// Counts `child` as part of `parent`. Throws Error(invalid) when that becomes too deep.
inline void count_child(Node& parent, const Value& child) {
  const Node* node = ValueAccess::node(child);
  if (!node) {
    ++parent.weight;
    return;
  }
  parent.depth = std::max(parent.depth, node->depth + 1);
  parent.weight += node->weight;
  if (parent.depth > Value::max_depth)
    throw Error(ErrorCode::invalid, "the value is nested more than " + std::to_string(Value::max_depth) +
                                        " levels deep; it can be passed on but not be read here");
}

}  // namespace metaflow::detail
