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

#include "base/value_nodes.hpp"

namespace metaflow::pickle::detail {

/// Arguments of opcodes, taken from the front of a pickle. Every read is checked against what is left.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  std::size_t position() const { return at_; }
  std::size_t remaining() const { return bytes_.size() - at_; }
  bool at_end() const { return at_ == bytes_.size(); }
  unsigned char next() { return static_cast<unsigned char>(bytes_[at_++]); }

  /// Nothing left of `size` bytes is std::nullopt.
  std::optional<std::string_view> take(std::uint64_t size) {
    if (size > remaining()) return std::nullopt;
    const auto part = bytes_.substr(at_, static_cast<std::size_t>(size));
    at_ += static_cast<std::size_t>(size);
    return part;
  }
  /// Up to and without the newline, which is skipped.
  std::optional<std::string_view> take_line() {
    const auto end = bytes_.find('\n', at_);
    if (end == bytes_.npos) return std::nullopt;
    const auto line = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return line;
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

/// The pickle machine: a stack of values, marks in it, and the memo. Values grow in place only while they are part of nothing else, so
/// that none ever holds itself and depth and size of each are known when it is taken into another.
class Reader {
 public:
  explicit Reader(std::shared_ptr<Buffer> buffer) : buffer_(std::move(buffer)), cursor_(buffer_->text()) {}

  Document read();

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
  std::vector<Value> pop_to_mark();
  std::vector<Value> pop_many(std::size_t count);

  void take_in(Node& parent, const Value& child);
  Node& growing_top();
  void append(std::vector<Value> items);
  void set_items(std::vector<Value> items);
  void add_items(std::vector<Value> items);
  void push_items(ValueKind kind, std::vector<Value> items);
  void push_dict(std::vector<Value> items);
  std::vector<Value::Pair> pairs_of(Node& parent, std::vector<Value> items);

  void push_text(std::string_view bytes);
  void push_bytes(std::string_view bytes, bool is_bytearray = false);
  void push_long(std::string_view little_endian);
  void push_decimal(std::string_view digits);
  void push_real_text(std::string_view digits);
  void push_raw_unicode(std::string_view text);
  void push_quoted(std::string_view text);

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
