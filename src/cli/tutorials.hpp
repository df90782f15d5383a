#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace metaflow::cli {

/// What the README of an episode says, by its headings.
struct EpisodeText {
  std::string title;
  std::string synopsis;
  std::vector<std::string> showcasing, before, play;  ///< lines with their bullets and numbers
};

/// Reads a README of the form
///
///     # Episode <name>: <title>
///     **<synopsis>**
///     **Showcasing:** …  **Before playing this episode:** …  **To play this episode:** …
///
/// each heading followed by its list. What is missing stays empty.
EpisodeText parse_episode(std::string_view readme);

/// Names of the episodes in a folder, sorted.
std::vector<std::string> episode_names(const std::filesystem::path& folder);

/// Copies an episode's files, without links, to `target`, in place of what was there.
void copy_episode(const std::filesystem::path& episode, const std::filesystem::path& target);

}  // namespace metaflow::cli
