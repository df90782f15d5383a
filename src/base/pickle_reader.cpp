#include "base/pickle_reader.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include <metaflow/codec.hpp>
#include <metaflow/error.hpp>

#include "base/pickle_opcodes.hpp"
#include "base/unicode.hpp"

namespace metaflow::pickle {
namespace detail {

using metaflow::detail::count_child;
using metaflow::detail::DictNode;
using metaflow::detail::ItemsNode;
using metaflow::detail::ObjectNode;
using metaflow::detail::ValueAccess;

namespace {

/// A value may stand for a larger tree than its pickle is long, as parts may be shared; beyond this it is refused, for reading it would
/// fill the memory.
constexpr std::uint64_t most_weight = std::uint64_t{1} << 26;

/// An array is remembered before it is given its items.
bool is_growing_array(const Value& value) {
  if (value.kind() != ValueKind::object) return false;
  const auto& object = value.as_object();
  return object.module == "numpy" && object.name == "ndarray";
}

bool is_shareable(const Value& value) {
  switch (value.kind()) {
    case ValueKind::list:
    case ValueKind::tuple:
    case ValueKind::dict:
    case ValueKind::set:
    case ValueKind::frozenset:
    case ValueKind::bytes:
    case ValueKind::array:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Reader::damaged(const std::string& what) const {
  const auto name = opcode_name(opcode_);
  throw Error(ErrorCode::corrupt, "the pickle is damaged at byte " + std::to_string(opcode_at_) +
                                      (name.empty() ? "" : " (opcode " + std::string(name) + ")") + ": " + what);
}

void Reader::not_understood(const std::string& what) const {
  throw Error(ErrorCode::invalid, "the value cannot be understood here, though it can be passed on: " + what +
                                      " (byte " + std::to_string(opcode_at_) + ", opcode " +
                                      std::string(opcode_name(opcode_)) + ")");
}

std::string_view Reader::take(std::uint64_t size) {
  if (const auto part = cursor_.take(size)) return *part;
  damaged("it needs " + std::to_string(size) + " more bytes, but " + std::to_string(cursor_.remaining()) + " are left");
}

std::string_view Reader::line() {
  if (const auto part = cursor_.take_line()) return *part;
  damaged("its line has no end");
}

std::uint64_t Reader::little_endian(std::size_t bytes) {
  std::uint64_t number = 0;
  const auto part = take(bytes);
  for (std::size_t i = bytes; i-- > 0;) number = (number << 8) | static_cast<unsigned char>(part[i]);
  return number;
}

Document Reader::read() {
  while (step()) {
  }
  if (stack_.size() != 1) damaged(std::to_string(stack_.size()) + " values are left, not one");
  if (!cursor_.at_end()) damaged(std::to_string(cursor_.remaining()) + " bytes follow the end");
  return {std::move(stack_.back()), buffer_, exclusive_};
}

std::optional<Document> Reader::read_item() {
  while (!cursor_.at_end() && !needs_all_) step();
  if (needs_all_) return std::nullopt;
  if (stack_.size() != 1) damaged(std::to_string(stack_.size()) + " values are left of an item, not one");
  return Document{std::move(stack_.back()), buffer_, exclusive_};
}

bool Reader::step() {
  opcode_at_ = cursor_.position();
  opcode_ = 0;
  if (cursor_.at_end()) damaged("it ends before its STOP");
  opcode_ = cursor_.next();
  switch (opcode_) {
    case STOP:
      return false;
    case PROTO:
      if (const auto version = little_endian(1); version > 5)
        not_understood("protocol " + std::to_string(version) + " is not known");
      return true;
    case FRAME:
      // A frame that begins inside an item goes on behind it.
      if (const auto length = little_endian(8); length > cursor_.remaining() && !item_)
        damaged("its frame of " + std::to_string(length) + " bytes is longer than what is left");
      return true;
    case NONE:
    case NEWTRUE:
    case NEWFALSE:
    case BININT:
    case BININT1:
    case BININT2:
    case BINFLOAT:
      read_scalar(opcode_);
      return true;
    case LONG1:
    case LONG4:
    case BINSTRING:
    case SHORT_BINSTRING:
    case BINUNICODE:
    case SHORT_BINUNICODE:
    case BINUNICODE8:
    case BINBYTES:
    case SHORT_BINBYTES:
    case BINBYTES8:
    case BYTEARRAY8:
      read_payload(opcode_);
      return true;
    case INT:
    case LONG:
    case FLOAT:
    case STRING:
    case UNICODE:
      read_line(opcode_);
      return true;
    case MEMOIZE:
    case PUT:
    case BINPUT:
    case LONG_BINPUT:
    case GET:
    case BINGET:
    case LONG_BINGET:
      use_memo(opcode_);
      return true;
    case GLOBAL:
    case STACK_GLOBAL:
    case INST:
    case OBJ:
    case REDUCE:
    case NEWOBJ:
    case NEWOBJ_EX:
    case BUILD:
      make_object(opcode_);
      return true;
    case PERSID:
    case BINPERSID:
      not_understood("it refers to something outside the pickle by a persistent id");
    case EXT1:
    case EXT2:
    case EXT4:
      not_understood("it uses an extension code of a registry that is not known here");
    case NEXT_BUFFER:
    case READONLY_BUFFER:
      not_understood("its buffers are stored outside the pickle");
    default:
      change_container(opcode_);
      return true;
  }
}

void Reader::read_scalar(unsigned char code) {
  switch (code) {
    case NONE:
      return push({});
    case NEWTRUE:
      return push(true);
    case NEWFALSE:
      return push(false);
    case BININT:
      return push(static_cast<std::int32_t>(little_endian(4)));
    case BININT1:
      return push(little_endian(1));
    case BININT2:
      return push(little_endian(2));
    default: {
      std::uint64_t bits;
      std::memcpy(&bits, take(8).data(), sizeof bits);
      return push(std::bit_cast<double>(__builtin_bswap64(bits)));
    }
  }
}

void Reader::read_payload(unsigned char code) {
  switch (code) {
    case LONG1:
      return push_long(take(little_endian(1)));
    case LONG4:
      return push_long(take(little_endian(4)));
    case SHORT_BINSTRING:
      return push_text(take(little_endian(1)));
    case BINSTRING:
      return push_text(take(little_endian(4)));
    case SHORT_BINUNICODE:
      return push_text(take(little_endian(1)));
    case BINUNICODE:
      return push_text(take(little_endian(4)));
    case BINUNICODE8:
      return push_text(take(little_endian(8)));
    case SHORT_BINBYTES:
      return push_bytes(take(little_endian(1)));
    case BINBYTES:
      return push_bytes(take(little_endian(4)));
    case BINBYTES8:
      return push_bytes(take(little_endian(8)));
    default:
      return push_bytes(take(little_endian(8)), true);
  }
}

void Reader::change_container(unsigned char code) {
  switch (code) {
    case MARK:
      marks_.push_back(stack_.size());
      return;
    case POP:
      return pop(false);
    case POP_MARK:
      return pop(true);
    case DUP:
      push(pop());
      exclusive_ = exclusive_ && !is_shareable(stack_.back());
      return push(stack_.back());
    case EMPTY_LIST:
      return push_new<ItemsNode>(ValueKind::list);
    case EMPTY_TUPLE:
      return push_new<ItemsNode>(ValueKind::tuple);
    case EMPTY_SET:
      return push_new<ItemsNode>(ValueKind::set);
    case EMPTY_DICT:
      return push_new<DictNode>();
    case LIST:
      return push_items(ValueKind::list, pop_to_mark());
    case TUPLE:
      return push_items(ValueKind::tuple, pop_to_mark());
    case FROZENSET:
      return push_items(ValueKind::frozenset, pop_to_mark());
    case TUPLE1:
      return push_items(ValueKind::tuple, pop_many(1));
    case TUPLE2:
      return push_items(ValueKind::tuple, pop_many(2));
    case TUPLE3:
      return push_items(ValueKind::tuple, pop_many(3));
    case DICT:
      return push_dict(leave_mark());
    case APPEND:
      return append(top(1));
    case APPENDS:
      return append(leave_mark());
    case SETITEM:
      return set_items(top(2));
    case SETITEMS:
      return set_items(leave_mark());
    case ADDITEMS:
      return add_items(leave_mark());
    default:
      damaged("byte " + std::to_string(code) + " is no opcode");
  }
}

Value Reader::pop() {
  if (stack_.size() <= fence()) damaged("it takes a value from an empty stack");
  Value top = std::move(stack_.back());
  stack_.pop_back();
  return top;
}

void Reader::pop(bool to_mark) {
  const bool only_mark_left = !marks_.empty() && marks_.back() == stack_.size();
  if (to_mark)
    pop_to_mark();
  else if (only_mark_left)
    marks_.pop_back();
  else
    pop();
}

std::size_t Reader::top(std::size_t count) const {
  if (stack_.size() - fence() < count)
    damaged("it takes " + std::to_string(count) + " values from a stack that has fewer");
  return stack_.size() - count;
}

std::size_t Reader::leave_mark() {
  if (marks_.empty()) damaged("no MARK comes before it");
  const std::size_t first = marks_.back();
  marks_.pop_back();
  return first;
}

std::vector<Value> Reader::pop_from(std::size_t first) {
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(first);
  std::vector<Value> values(std::make_move_iterator(begin), std::make_move_iterator(stack_.end()));
  stack_.erase(begin, stack_.end());
  return values;
}

template <class NodeType, class... Arguments>
void Reader::push_new(Arguments&&... arguments) {
  push(ValueAccess::wrap(std::make_shared<const NodeType>(std::forward<Arguments>(arguments)...)));
}

void Reader::take_in(Node& parent, const Value& child) {
  if (const auto* node = ValueAccess::node(child)) {
    if (node == &parent) not_understood("it holds itself");
    const_cast<Node*>(node)->sealed = true;
  }
  count_child(parent, child);
  if (parent.weight > most_weight && parent.weight > buffer_->size())
    not_understood("parts of it are shared so often that it would not fit the memory");
}

/// The container below stack position `first`, which this reader made and nothing holds yet.
Reader::Node& Reader::growing_below(std::size_t first) {
  if (first <= fence()) damaged("there is no container to add to");
  const auto& below = stack_[first - 1];
  auto* node = const_cast<Node*>(ValueAccess::node(below));
  if (!node) damaged("a " + below.type_name() + " cannot be added to");
  if (node->sealed) not_understood("a container that is part of another is changed, or holds itself");
  return *node;
}

namespace {

/// Moves the values from `first` on from one vector to the end of another.
void move_tail(std::vector<Value>& from, std::size_t first, std::vector<Value>& to) {
  const auto begin = from.begin() + static_cast<std::ptrdiff_t>(first);
  to.insert(to.end(), std::make_move_iterator(begin), std::make_move_iterator(from.end()));
  from.erase(begin, from.end());
}

}  // namespace

void Reader::append(std::size_t first) {
  auto& top = growing_below(first);
  if (top.kind != ValueKind::list && top.kind != ValueKind::object)
    damaged("a " + stack_[first - 1].type_name() + " cannot be appended to");
  for (std::size_t i = first; i < stack_.size(); ++i) take_in(top, stack_[i]);
  const bool is_list = top.kind == ValueKind::list;
  move_tail(stack_, first, is_list ? static_cast<ItemsNode&>(top).items : static_cast<ObjectNode&>(top).content.items);
}

void Reader::add_items(std::size_t first) {
  auto& top = growing_below(first);
  if (top.kind != ValueKind::set) damaged("a " + stack_[first - 1].type_name() + " is no set");
  for (std::size_t i = first; i < stack_.size(); ++i) take_in(top, stack_[i]);
  move_tail(stack_, first, static_cast<ItemsNode&>(top).items);
}

void Reader::move_pairs(Node& parent, std::size_t first, std::vector<Value::Pair>& to) {
  if ((stack_.size() - first) % 2 != 0) damaged("a key has no value");
  for (std::size_t i = first; i < stack_.size(); i += 2) {
    take_in(parent, stack_[i]);
    take_in(parent, stack_[i + 1]);
    to.emplace_back(std::move(stack_[i]), std::move(stack_[i + 1]));
  }
  stack_.resize(first);
}

void Reader::set_items(std::size_t first) {
  auto& top = growing_below(first);
  if (top.kind != ValueKind::dict && top.kind != ValueKind::object)
    damaged("a " + stack_[first - 1].type_name() + " has no keys to set");
  const bool is_dict = top.kind == ValueKind::dict;
  move_pairs(top, first, is_dict ? static_cast<DictNode&>(top).pairs : static_cast<ObjectNode&>(top).content.pairs);
}

void Reader::push_items(ValueKind kind, std::vector<Value> items) {
  auto node = std::make_shared<ItemsNode>(kind);
  for (const auto& item : items) take_in(*node, item);
  node->items = std::move(items);
  push(ValueAccess::wrap(std::move(node)));
}

void Reader::push_dict(std::size_t first) {
  auto node = std::make_shared<DictNode>();
  move_pairs(*node, first, node->pairs);
  push(ValueAccess::wrap(std::move(node)));
}

void Reader::use_memo(unsigned char code) {
  const auto decimal = [this] {
    std::uint64_t index = 0;
    const auto digits = line();
    for (const char c : digits) {
      if (c < '0' || c > '9' || index > UINT32_MAX) damaged("its memo index is no number");
      index = index * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return index;
  };
  switch (code) {
    case MEMOIZE:
      return put((item_ ? item_->memo.size() : 0) + memo_.size() + far_memo_.size());
    case BINPUT:
      return put(little_endian(1));
    case LONG_BINPUT:
      return put(little_endian(4));
    case PUT:
      return put(decimal());
    case BINGET:
      return get(little_endian(1));
    case LONG_BINGET:
      return get(little_endian(4));
    default:
      return get(decimal());
  }
}

void Reader::put(std::uint64_t index) {
  if (stack_.size() <= fence()) damaged("there is no value to remember");
  if (is_growing_array(stack_.back())) array_memo_[ValueAccess::node(stack_.back())] = index;
  if (item_) index -= std::min<std::uint64_t>(index, item_->memo.size());
  if (index >= buffer_->size()) {
    far_memo_[index] = stack_.back();
    return;
  }
  if (index >= memo_.size()) memo_.resize(static_cast<std::size_t>(index) + 1);
  memo_[static_cast<std::size_t>(index)] = stack_.back();
}

/// Reads again the text or bytes that lie before the item; other values would need all that they refer to.
bool Reader::get_earlier(std::uint64_t index) {
  if (!item_ || index >= item_->memo.size()) return false;
  const auto& earlier = item_->memo[static_cast<std::size_t>(index)];
  if (!earlier.is_plain) {
    needs_all_ = true;
    push({});
    return true;
  }
  const Cursor here = std::exchange(cursor_, Cursor(buffer_->text(), earlier.begin));
  read_payload(cursor_.next());
  exclusive_ = exclusive_ && !is_shareable(stack_.back());
  cursor_ = here;
  return true;
}

void Reader::get(std::uint64_t index) {
  if (get_earlier(index)) return;
  if (item_) index -= item_->memo.size();
  const Value* found = nullptr;
  if (index < memo_.size() && memo_[static_cast<std::size_t>(index)]) found = &*memo_[static_cast<std::size_t>(index)];
  if (const auto far = far_memo_.find(index); far != far_memo_.end()) found = &far->second;
  if (!found) damaged("nothing was remembered as number " + std::to_string(index));
  exclusive_ = exclusive_ && !is_shareable(*found);
  push(*found);
}

}  // namespace detail

Document decode_document(Buffer buffer) { return detail::Reader(std::make_shared<Buffer>(std::move(buffer))).read(); }

namespace {

Document item_at(const std::shared_ptr<Buffer>& buffer, const detail::ItemPlaces& places, std::size_t index) {
  if (const auto place = places.at(index))
    if (auto item = detail::Reader(buffer, *place).read_item()) return std::move(*item);
  auto all = detail::Reader(buffer).read();
  std::vector<Value> storage;
  const auto items = metaflow::detail::read_items(all.value, storage);
  if (index >= items.size())
    throw Error(ErrorCode::not_found, "the " + all.value.type_name() + " has " + std::to_string(items.size()) +
                                          " items, so none at index " + std::to_string(index));
  Value item = items[index];
  all.value = std::move(item);
  return all;
}

}  // namespace

Document decode_item(Buffer buffer, std::size_t index) {
  const auto shared = std::make_shared<Buffer>(std::move(buffer));
  return item_at(shared, detail::ItemPlaces(shared->text(), index), index);
}

struct Items::State {
  explicit State(Buffer bytes)
      : buffer(std::make_shared<Buffer>(std::move(bytes))), places(buffer->text(), std::string_view::npos) {}

  std::shared_ptr<Buffer> buffer;
  detail::ItemPlaces places;
};

Items::Items(Buffer buffer) : state_(std::make_shared<const State>(std::move(buffer))) {}

Document Items::item(std::size_t index) const {
  auto document = item_at(state_->buffer, state_->places, index);
  document.exclusive = false;
  return document;
}

std::optional<std::string> Items::pickle(std::size_t index) const {
  return state_->places.cut(state_->buffer->text(), index);
}

Value decode(Buffer buffer) { return decode_document(std::move(buffer)).value; }

Value decode(std::span<const std::byte> bytes) {
  Buffer buffer(bytes.size());
  std::copy(bytes.begin(), bytes.end(), buffer.data());
  return decode(std::move(buffer));
}

}  // namespace metaflow::pickle
