#include "cli/suggestion.hpp"

#include <algorithm>
#include <vector>

namespace metaflow::cli {
namespace {

/// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other (optimal string
/// alignment).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> table(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) table[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) table[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t differs = a[i - 1] == b[j - 1] ? 0 : 1;
      table[i][j] = std::min({table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + differs});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        table[i][j] = std::min(table[i][j], table[i - 2][j - 2] + 1);
    }
  return table[a.size()][b.size()];
}

constexpr std::size_t longest = 100;  // nobody mistypes more, and the table grows with the square

}  // namespace

std::string did_you_mean(std::string_view typed, std::span<const std::string> known) {
  if (typed.empty() || typed.size() > longest) return "";
  const std::string* best = nullptr;
  std::size_t best_distance = 1 + typed.size() / 3;
  for (const auto& word : known) {
    const auto far = typed.size() > 1 && word.starts_with(typed) ? 1 : distance(typed, word);
    if (far > best_distance || (best != nullptr && far == best_distance)) continue;
    best = &word;
    best_distance = far;
  }
  return best == nullptr ? "" : " Did you mean '" + *best + "'?";
}

std::string slip_in(std::string_view typed, std::span<const std::string> known) {
  const std::string* best = nullptr;
  std::size_t best_distance = 2 + typed.size() / 6;
  for (const auto& word : known) {
    // Without so many changes the lengths cannot differ more.
    if (std::max(word.size(), typed.size()) - std::min(word.size(), typed.size()) >= best_distance) continue;
    const auto far = distance(typed, word);
    if (far >= best_distance) continue;
    best = &word;
    best_distance = far;
  }
  return best == nullptr ? "" : *best;
}

}  // namespace metaflow::cli
