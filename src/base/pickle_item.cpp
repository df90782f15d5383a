#include "base/pickle_item.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/pickle_cursor.hpp"
#include "base/pickle_opcodes.hpp"

namespace metaflow::pickle::detail {
namespace {

/// What an opcode does to the stack, as far as the places of values are concerned.
enum class Effect : unsigned char {
  stop_walking,  ///< not followed here
  nothing,
  push,
  drop_1,  ///< takes values off, and leaves or replaces the one below
  drop_2,
  mark,
  pop,
  drop_to_mark,      ///< adds what is above the mark to the value below it
  collapse_to_mark,  ///< makes one value of what is above the mark
  remember,
};

enum class Argument : unsigned char { none, fixed, length_1, length_4, length_8 };

struct Action {
  Effect effect = Effect::stop_walking;
  Argument argument = Argument::none;
  unsigned char size = 0;
};

constexpr std::array<Action, 256> actions = [] {
  std::array<Action, 256> table{};
  for (const auto code : {NONE, NEWTRUE, NEWFALSE, EMPTY_LIST, EMPTY_DICT, EMPTY_SET, EMPTY_TUPLE, DUP})
    table[code] = {Effect::push};
  table[BININT1] = table[BINGET] = {Effect::push, Argument::fixed, 1};
  table[BININT2] = {Effect::push, Argument::fixed, 2};
  table[BININT] = table[LONG_BINGET] = {Effect::push, Argument::fixed, 4};
  table[BINFLOAT] = {Effect::push, Argument::fixed, 8};
  for (const auto code : {LONG1, SHORT_BINUNICODE, SHORT_BINBYTES}) table[code] = {Effect::push, Argument::length_1};
  for (const auto code : {LONG4, BINUNICODE, BINBYTES}) table[code] = {Effect::push, Argument::length_4};
  for (const auto code : {BINUNICODE8, BINBYTES8, BYTEARRAY8}) table[code] = {Effect::push, Argument::length_8};
  for (const auto code : {TUPLE2, STACK_GLOBAL, REDUCE, NEWOBJ, APPEND, BUILD}) table[code] = {Effect::drop_1};
  for (const auto code : {TUPLE3, NEWOBJ_EX, SETITEM}) table[code] = {Effect::drop_2};
  for (const auto code : {APPENDS, SETITEMS, ADDITEMS, POP_MARK}) table[code] = {Effect::drop_to_mark};
  for (const auto code : {TUPLE, LIST, DICT, FROZENSET}) table[code] = {Effect::collapse_to_mark};
  table[TUPLE1] = {Effect::nothing};
  table[PROTO] = {Effect::nothing, Argument::fixed, 1};
  table[FRAME] = {Effect::nothing, Argument::fixed, 8};
  table[MARK] = {Effect::mark};
  table[POP] = {Effect::pop};
  table[MEMOIZE] = {Effect::remember};
  table[BINPUT] = {Effect::remember, Argument::fixed, 1};
  table[LONG_BINPUT] = {Effect::remember, Argument::fixed, 4};
  return table;
}();

}  // namespace

/// Follows where each value on the stack begins. The list itself is at the bottom.
class Walker {
 public:
  Walker(std::string_view pickle, ItemPlaces& places) : pickle_(pickle), cursor_(pickle), places_(places) {}

  void walk(std::size_t last) {
    while (!cursor_.at_end()) {
      opcode_before_at_ = std::exchange(opcode_at_, cursor_.position());
      opcode_ = cursor_.next();
      const auto& action = actions[opcode_];
      if (!skip(action)) return;
      note_completed_items();
      if (places_.items_.size() > last || !apply(action.effect)) return;
      if (begins_.size() == 1 && !leaves_list()) return;
    }
  }

 private:
  struct Mark {
    std::size_t stack, begin;
  };

  /// Whether the value at the bottom, when it is alone, still is the list that was begun there.
  bool leaves_list() const {
    static constexpr Opcode harmless[] = {EMPTY_LIST, APPEND, APPENDS,  MEMOIZE, BINPUT, LONG_BINPUT,
                                          FRAME,      MARK,   POP_MARK, POP,     PROTO};
    return std::find(std::begin(harmless), std::end(harmless), opcode_) != std::end(harmless);
  }

  bool skip(const Action& action) {
    std::uint64_t length = action.size;
    if (action.argument > Argument::fixed) {
      const std::size_t bytes = action.argument == Argument::length_1   ? 1
                                : action.argument == Argument::length_4 ? 4
                                                                        : 8;
      const auto text = cursor_.take(bytes);
      if (!text) return false;
      for (std::size_t i = bytes; i-- > 0;) length = (length << 8) | static_cast<unsigned char>((*text)[i]);
    }
    return cursor_.take(length).has_value();
  }

  /// Those that this opcode is about to append to the list.
  void note_completed_items() {
    const bool is_batch = opcode_ == APPENDS && marks_.size() == 1 && marks_[0].stack == 1;
    const bool is_single = opcode_ == APPEND && marks_.empty() && begins_.size() == 2;
    if (!is_batch && !is_single) return;
    for (std::size_t i = 1; i < begins_.size(); ++i)
      places_.items_.emplace_back(begins_[i], i + 1 < begins_.size() ? begins_[i + 1] : opcode_at_);
  }

  std::size_t fence() const { return marks_.empty() ? 0 : marks_.back().stack; }

  bool drop(std::size_t count) {
    if (begins_.size() < fence() + count) return false;
    begins_.resize(begins_.size() - count);
    return true;
  }

  bool leave_mark(bool push) {
    if (marks_.empty()) return false;
    begins_.resize(marks_.back().stack);
    if (push) begins_.push_back(marks_.back().begin);
    marks_.pop_back();
    return true;
  }

  bool remember() {
    if (begins_.empty()) return false;
    if (opcode_ != MEMOIZE) {  // has to be what MEMOIZE would do
      std::uint64_t index = 0;
      for (std::size_t i = cursor_.position(); i-- > opcode_at_ + 1;)
        index = (index << 8) | static_cast<unsigned char>(pickle_[i]);
      if (index != places_.memo_.size()) return false;
    }
    places_.memo_.push_back(begins_.back() == opcode_before_at_ ? begins_.back() : std::string_view::npos);
    places_.memo_at_.push_back(opcode_at_);
    return true;
  }

  bool apply(Effect effect) {
    switch (effect) {
      case Effect::stop_walking:
        return false;
      case Effect::nothing:
        return true;
      case Effect::push:
        begins_.push_back(opcode_at_);
        return true;
      case Effect::drop_1:
        return drop(1) && begins_.size() > fence();
      case Effect::drop_2:
        return drop(2) && begins_.size() > fence();
      case Effect::mark:
        marks_.push_back({begins_.size(), opcode_at_});
        return true;
      case Effect::pop:
        return drop(1);
      case Effect::drop_to_mark:
        return leave_mark(false);
      case Effect::collapse_to_mark:
        return leave_mark(true);
      case Effect::remember:
        return remember();
    }
    return false;
  }

  std::string_view pickle_;
  Cursor cursor_;
  ItemPlaces& places_;
  std::size_t opcode_at_ = 0, opcode_before_at_ = 0;
  unsigned char opcode_ = 0;
  std::vector<std::size_t> begins_;
  std::vector<Mark> marks_;
};

ItemPlaces::ItemPlaces(std::string_view pickle, std::size_t last) { Walker(pickle, *this).walk(last); }

std::optional<ItemPlace> ItemPlaces::at(std::size_t index) const {
  if (index >= items_.size()) return std::nullopt;
  const auto [begin, end] = items_[index];
  const auto earlier = std::lower_bound(memo_at_.begin(), memo_at_.end(), begin);
  return ItemPlace{begin, end, std::span(memo_).first(static_cast<std::size_t>(earlier - memo_at_.begin()))};
}

}  // namespace metaflow::pickle::detail
