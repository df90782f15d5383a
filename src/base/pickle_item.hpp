#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace metaflow::pickle::detail {

/// A value that later parts of a pickle may refer to.
struct Remembered {
  std::size_t begin = 0;  ///< of what makes it; npos for the list itself
  std::size_t at = 0;     ///< the opcode that remembers it
  std::size_t end = 0;    ///< behind that, and behind what is added to the value afterwards
  bool is_plain = false;  ///< a text or bytes, made by one opcode at `begin`
};

/// Where one item of a pickled list lies, and what it may refer back to: what is remembered before `begin`, by memo index.
struct ItemPlace {
  std::size_t begin = 0, end = 0;
  std::span<const Remembered> memo;
};

/// Where the first items of a pickled list lie.
class ItemPlaces {
 public:
  /// Walks over the opcodes, without making any value, until item `last` or the end. There are fewer places than items when the
  /// pickle is not simply a list or is damaged: reading all of it will say.
  ItemPlaces(std::string_view pickle, std::size_t last);

  std::optional<ItemPlace> at(std::size_t index) const;

  /// A pickle of one item alone, together with what it refers back to. Nothing when that cannot be told from the rest: there is no such
  /// place, or the item refers to the list, or in two ways to one value. `pickle` as the constructor had it.
  std::optional<std::string> cut(std::string_view pickle, std::size_t index) const;

 private:
  friend class Walker;
  std::vector<std::pair<std::size_t, std::size_t>> items_;  // begin and end
  std::vector<Remembered> memo_;
  bool drops_values_ = false;  // so that one may change while it does not look so
};

}  // namespace metaflow::pickle::detail
