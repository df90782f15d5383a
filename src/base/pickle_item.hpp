#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace metaflow::pickle::detail {

/// Where one item of a pickled list lies, and what it may refer back to.
struct ItemPlace {
  std::size_t begin = 0, end = 0;
  /// First byte of each value remembered before `begin`, by memo index; npos where more than one opcode makes it: a
  /// tuple may begin with a text.
  std::vector<std::size_t> memo;
};

/// Finds item `index` by walking over the opcodes, without making any value. Nothing when the pickle is not simply a list, is damaged
/// before that item, or is shorter: reading all of it will say.
std::optional<ItemPlace> find_item(std::string_view pickle, std::size_t index);

}  // namespace metaflow::pickle::detail
