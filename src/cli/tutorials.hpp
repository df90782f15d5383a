#pragma once

#include <filesystem>
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

/// The languages that tutorials may be written in, the one to take by default first.
std::vector<std::string> tutorial_languages();

/// The episodes in one language.
struct TutorialSet {
  std::string language;
  std::filesystem::path folder;       ///< one folder for each episode
  std::vector<std::string> episodes;  ///< their names, sorted
};

/// What a folder with one folder for each language holds, in the order of tutorial_languages(); those without episodes are
/// left out.
std::vector<TutorialSet> tutorial_sets(const std::filesystem::path& folder);

/// Copies an episode's files, without links and compiled Python, to `target`, in place of what was there.
void copy_episode(const std::filesystem::path& episode, const std::filesystem::path& target);

}  // namespace metaflow::cli
