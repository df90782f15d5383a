#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <metaflow/pickle.hpp>

#include "base/pickle_cursor.hpp"
#include "base/pickle_item.hpp"
#include "base/value_nodes.hpp"

namespace metaflow::pickle::detail {

/// The pickle machine: a stack of values, marks in it, and the memo. Values grow in place only while they are part of nothing else, so
/// that none ever holds itself and depth and size of each are known when it is taken into another.
class Reader {
 public:
  explicit Reader(std::shared_ptr<Buffer> buffer) : buffer_(std::move(buffer)), cursor_(buffer_->text()) {}

  /// For one item of a list, whose place ItemPlaces told.
  Reader(std::shared_ptr<Buffer> buffer, const ItemPlace& item)
      : buffer_(std::move(buffer)), cursor_(buffer_->text().substr(0, item.end), item.begin), item_(&item) {}

  Document read();
  /// Nothing when the item refers back to more than text or bytes.
  std::optional<Document> read_item();

 private:
  using Node = metaflow::detail::Node;

  bool step();  // false after STOP
  void read_scalar(unsigned char code);
  void read_payload(unsigned char code);
  void read_line(unsigned char code);
  void change_container(unsigned char code);
  void use_memo(unsigned char code);
  void make_object(unsigned char code);

  [[noreturn]] void damaged(const std::string& what) const;
  [[noreturn]] void not_understood(const std::string& what) const;

  std::uint64_t little_endian(std::size_t bytes);
  std::string_view take(std::uint64_t size);
  std::string_view line();

  void push(Value value) { stack_.push_back(std::move(value)); }
  template <class NodeType, class... Arguments>
  void push_new(Arguments&&... arguments);
  Value pop();
  std::size_t fence() const { return marks_.empty() ? 0 : marks_.back(); }
  /// Stack position of the last `count` values.
  std::size_t top(std::size_t count) const;
  /// Stack position of the first value above the innermost mark, which is taken away.
  std::size_t leave_mark();
  std::vector<Value> pop_from(std::size_t first);
  std::vector<Value> pop_to_mark() { return pop_from(leave_mark()); }
  std::vector<Value> pop_many(std::size_t count) { return pop_from(top(count)); }

  void take_in(Node& parent, const Value& child);
  Node& growing_below(std::size_t first);
  void append(std::size_t first);
  void set_items(std::size_t first);
  void add_items(std::size_t first);
  void push_items(ValueKind kind, std::vector<Value> items);
  void push_dict(std::size_t first);
  void move_pairs(Node& parent, std::size_t first, std::vector<Value::Pair>& to);

  void push_text(std::string_view bytes);
  void push_bytes(std::string_view bytes, bool is_bytearray = false);
  void push_long(std::string_view little_endian);
  void push_decimal(std::string_view digits);
  void push_real_text(std::string_view digits);
  void push_raw_unicode(std::string_view text);
  void push_quoted(std::string_view text);

  bool get_earlier(std::uint64_t index);
  void put(std::uint64_t index);
  void get(std::uint64_t index);

  void pop(bool to_mark);
  void build();
  void call(Value callable, Value arguments, ObjectContent::Made made, std::vector<Value::Pair> keywords = {});
  bool call_builtin(std::string_view module, std::string_view name, std::span<const Value> arguments);
  bool call_numpy(std::string_view module, std::string_view name, std::span<const Value> arguments);
  void push_object(ObjectContent content);
  bool build_array(const metaflow::detail::ObjectNode& object, const Value& state);
  void push_array(const Value& dtype, const Value& shape, const Value& bytes, bool fortran, bool scalar);

  std::shared_ptr<Buffer> buffer_;
  Cursor cursor_;
  const ItemPlace* item_ = nullptr;
  bool needs_all_ = false;
  std::size_t opcode_at_ = 0;
  unsigned char opcode_ = 0;
  std::vector<Value> stack_;
  std::vector<std::size_t> marks_;
  std::vector<std::optional<Value>> memo_;
  std::unordered_map<std::uint64_t, Value> far_memo_;          // indexes beyond what the pickle's length explains
  std::unordered_map<const Node*, std::uint64_t> array_memo_;  // numpy arrays that have no items yet
  bool exclusive_ = true;
};

}  // namespace metaflow::pickle::detail
