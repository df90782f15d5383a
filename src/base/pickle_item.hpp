#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace metaflow::pickle::detail {

/// Where one item of a pickled list lies, and what it may refer back to.
struct ItemPlace {
  std::size_t begin = 0, end = 0;
  /// First byte of each value remembered before `begin`, by memo index; npos where more than one opcode makes it: a
  /// tuple may begin with a text.
  std::span<const std::size_t> memo;
};

/// Where the first items of a pickled list lie.
class ItemPlaces {
 public:
  /// Walks over the opcodes, without making any value, until item `last` or the end. There are fewer places than items when the
  /// pickle is not simply a list or is damaged: reading all of it will say.
  ItemPlaces(std::string_view pickle, std::size_t last);

  std::optional<ItemPlace> at(std::size_t index) const;

 private:
  friend class Walker;
  std::vector<std::pair<std::size_t, std::size_t>> items_;  // begin and end
  std::vector<std::size_t> memo_, memo_at_;                 // what is remembered, and the opcode that did it
};

}  // namespace metaflow::pickle::detail
