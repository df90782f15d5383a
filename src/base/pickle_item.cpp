#include "base/pickle_item.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>
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

bool makes_text_or_bytes(unsigned char code) {
  return code == SHORT_BINUNICODE || code == BINUNICODE || code == BINUNICODE8 || code == SHORT_BINBYTES ||
         code == BINBYTES || code == BINBYTES8;
}

/// Takes the argument of an opcode; false when the pickle ends before.
bool skip_argument(Cursor& cursor, const Action& action) {
  std::uint64_t length = action.size;
  if (action.argument > Argument::fixed) {
    const std::size_t bytes = action.argument == Argument::length_1 ? 1 : action.argument == Argument::length_4 ? 4 : 8;
    const auto text = cursor.take(bytes);
    if (!text) return false;
    for (std::size_t i = bytes; i-- > 0;) length = (length << 8) | static_cast<unsigned char>((*text)[i]);
  }
  return cursor.take(length).has_value();
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) number = (number << 8) | static_cast<unsigned char>(bytes[i]);
  return number;
}

/// The memo index that the first value remembered at or behind a place gets.
std::size_t remembered_before(std::span<const Remembered> memo, std::size_t place) {
  return static_cast<std::size_t>(std::ranges::lower_bound(memo, place, {}, &Remembered::at) - memo.begin());
}

/// Writes a part of a pickle as a pickle of its own: what lies before that part and is referred to stands where it is first needed.
class Cutter {
 public:
  Cutter(std::string_view pickle, std::span<const Remembered> memo, bool only_plain)
      : pickle_(pickle), memo_(memo), only_plain_(only_plain) {}

  std::optional<std::string> cut(const ItemPlace& item) {
    constexpr char newest_protocol = 5;
    out_ = {static_cast<char>(PROTO), newest_protocol};
    if (!copy(item.begin, item.end)) return std::nullopt;
    out_ += static_cast<char>(STOP);
    return std::move(out_);
  }

 private:
  bool copy(std::size_t begin, std::size_t end) {
    auto next_index = remembered_before(memo_, begin);
    Cursor cursor(pickle_.substr(0, end), begin);
    while (!cursor.at_end()) {
      const auto at = cursor.position();
      const unsigned char opcode = cursor.next();
      if (!skip_argument(cursor, actions[opcode])) return false;
      const auto argument = pickle_.substr(at + 1, cursor.position() - at - 1);
      if (actions[opcode].effect == Effect::remember) {
        if (!remember(next_index++)) return false;
      } else if (opcode == BINGET || opcode == LONG_BINGET) {
        if (!refer(little_endian(argument), begin)) return false;
      } else if (opcode != FRAME) {
        out_ += pickle_.substr(at, cursor.position() - at);
      }
    }
    return true;
  }

  /// A value that is written twice would become two.
  bool remember(std::size_t index) {
    out_ += static_cast<char>(MEMOIZE);
    return new_index_.emplace(index, new_index_.size()).second;
  }

  bool refer(std::uint64_t index, std::size_t from) {
    if (const auto known = new_index_.find(index); known != new_index_.end()) return get(known->second);
    constexpr int deepest = 50;  // an end for long chains
    if (index >= memo_.size() || depth_ == deepest) return false;
    const auto& value = memo_[static_cast<std::size_t>(index)];
    const bool is_whole = value.begin < from && value.end <= from;
    if (!is_whole || (only_plain_ && !value.is_plain)) return false;
    ++depth_;
    const bool could = copy(value.begin, value.end);
    --depth_;
    return could;
  }

  bool get(std::size_t index) {
    constexpr std::size_t least_long = 256;
    out_ += static_cast<char>(index < least_long ? BINGET : LONG_BINGET);
    for (std::size_t i = 0; i < (index < least_long ? 1 : 4); ++i) out_ += static_cast<char>(index >> (8 * i) & 0xff);
    return true;
  }

  std::string_view pickle_;
  std::span<const Remembered> memo_;
  bool only_plain_;
  std::string out_;
  std::unordered_map<std::uint64_t, std::size_t> new_index_;
  int depth_ = 0;
};

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
      if (!skip_argument(cursor_, action)) return;
      note_completed_items();
      if (places_.items_.size() > last || !apply(action.effect) || !note_change()) return;
      if (values_.size() == 1 && !leaves_list()) return;
    }
  }

 private:
  struct Mark {
    std::size_t stack, begin;
  };

  static constexpr auto none = std::string_view::npos;

  struct StackValue {
    std::size_t begin;
    std::size_t memo = none;    // its index, once it is remembered
    bool is_reference = false;  // to one that is remembered
  };

  /// Whether the value at the bottom, when it is alone, still is the list that was begun there.
  bool leaves_list() const {
    static constexpr Opcode harmless[] = {EMPTY_LIST, APPEND, APPENDS,  MEMOIZE, BINPUT, LONG_BINPUT,
                                          FRAME,      MARK,   POP_MARK, POP,     PROTO};
    return std::find(std::begin(harmless), std::end(harmless), opcode_) != std::end(harmless);
  }

  /// Those that this opcode is about to append to the list.
  void note_completed_items() {
    const bool is_batch = opcode_ == APPENDS && marks_.size() == 1 && marks_[0].stack == 1;
    const bool is_single = opcode_ == APPEND && marks_.empty() && values_.size() == 2;
    if (!is_batch && !is_single) return;
    for (std::size_t i = 1; i < values_.size(); ++i)
      places_.items_.emplace_back(values_[i].begin, i + 1 < values_.size() ? values_[i + 1].begin : opcode_at_);
  }

  std::size_t fence() const { return marks_.empty() ? 0 : marks_.back().stack; }

  bool drop(std::size_t count) {
    if (values_.size() < fence() + count) return false;
    values_.erase(values_.end() - static_cast<std::ptrdiff_t>(count), values_.end());
    return true;
  }

  bool leave_mark(bool push) {
    if (marks_.empty()) return false;
    values_.erase(values_.begin() + static_cast<std::ptrdiff_t>(marks_.back().stack), values_.end());
    if (push) values_.push_back({marks_.back().begin});
    marks_.pop_back();
    return true;
  }

  bool remember() {
    auto& memo = places_.memo_;
    if (values_.empty()) return false;
    // Has to be what MEMOIZE would do.
    if (opcode_ != MEMOIZE &&
        little_endian(pickle_.substr(opcode_at_ + 1, cursor_.position() - opcode_at_ - 1)) != memo.size())
      return false;
    auto& value = values_.back();
    value.memo = memo.size();
    memo.push_back({.begin = values_.size() == 1 ? none : value.begin,
                    .at = opcode_at_,
                    .end = cursor_.position(),
                    .is_plain = value.begin == opcode_before_at_ &&
                                makes_text_or_bytes(static_cast<unsigned char>(pickle_[value.begin]))});
    return true;
  }

  /// After an opcode: what it did to the value that is on top now. False for what no pickler does.
  bool note_change() {
    switch (opcode_) {
      case APPEND:
      case APPENDS:
      case SETITEM:
      case SETITEMS:
      case ADDITEMS:
      case BUILD:
        if (values_.empty() || values_.back().is_reference) return false;
        if (const auto index = values_.back().memo; index != none) places_.memo_[index].end = cursor_.position();
        return true;
      case TUPLE1:
      case TUPLE2:
      case TUPLE3:
      case STACK_GLOBAL:
      case REDUCE:
      case NEWOBJ:
      case NEWOBJ_EX:  // another value now, which begins where its first part did
        if (values_.empty()) return false;
        values_.back() = {values_.back().begin};
        return true;
      case POP:
      case POP_MARK:
        places_.drops_values_ = true;
        return true;
      default:
        return true;
    }
  }

  bool apply(Effect effect) {
    switch (effect) {
      case Effect::stop_walking:
        return false;
      case Effect::nothing:
        return true;
      case Effect::push:
        values_.push_back(
            {.begin = opcode_at_, .is_reference = opcode_ == BINGET || opcode_ == LONG_BINGET || opcode_ == DUP});
        return true;
      case Effect::drop_1:
        return drop(1) && values_.size() > fence();
      case Effect::drop_2:
        return drop(2) && values_.size() > fence();
      case Effect::mark:
        marks_.push_back({values_.size(), opcode_at_});
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
  std::vector<StackValue> values_;
  std::vector<Mark> marks_;
};

ItemPlaces::ItemPlaces(std::string_view pickle, std::size_t last) { Walker(pickle, *this).walk(last); }

std::optional<ItemPlace> ItemPlaces::at(std::size_t index) const {
  if (index >= items_.size()) return std::nullopt;
  const auto [begin, end] = items_[index];
  return ItemPlace{begin, end, std::span(memo_).first(remembered_before(memo_, begin))};
}

std::optional<std::string> ItemPlaces::cut(std::string_view pickle, std::size_t index) const {
  const auto place = at(index);
  if (!place) return std::nullopt;
  return Cutter(pickle, memo_, drops_values_).cut(*place);
}

}  // namespace metaflow::pickle::detail
