#include "cli/tutorials.hpp"

#include <algorithm>
#include <sstream>

#include <metaflow/error.hpp>

namespace metaflow::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view bold = "**";
/// What pip leaves beside each script that it installs.
constexpr std::string_view compiled_python = "__pycache__";

/// A line that is bold as a whole, without the marks; empty for any other.
std::string bold_text(const std::string& line) {
  if (line.size() < 5 || !line.starts_with(bold) || !line.ends_with(bold)) return "";
  return line.substr(2, line.size() - 4);
}

/// `# Episode 00-x: Title` without what stands before the title.
std::string title_of(const std::string& line) {
  const auto colon = line.find(": ");
  return colon == std::string::npos ? line.substr(2) : line.substr(colon + 2);
}

std::vector<std::string>* list_under(EpisodeText& episode, const std::string& heading) {
  if (heading == "Showcasing:") return &episode.showcasing;
  if (heading == "Before playing this episode:") return &episode.before;
  if (heading == "To play this episode:") return &episode.play;
  return nullptr;
}

/// Names of the episodes in a folder, sorted.
std::vector<std::string> episode_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(folder, problem))
    if (fs::exists(entry.path() / "README.md")) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

EpisodeText parse_episode(std::string_view readme) {
  EpisodeText episode;
  std::vector<std::string>* list = nullptr;
  std::istringstream lines{std::string(readme)};
  for (std::string line; std::getline(lines, line);) {
    const auto heading = bold_text(line);
    if (auto* named = list_under(episode, heading)) {
      list = named;
    } else if (!heading.empty()) {
      if (episode.synopsis.empty()) episode.synopsis = heading;
      list = nullptr;
    } else if (line.starts_with("# ")) {
      episode.title = title_of(line);
    } else if (list != nullptr && !line.empty()) {
      std::erase(line, '`');
      list->push_back(line);
    }
  }
  return episode;
}

std::vector<std::string> tutorial_languages() { return {"cpp", "python"}; }

std::vector<TutorialSet> tutorial_sets(const fs::path& folder) {
  std::vector<TutorialSet> sets;
  for (const auto& language : tutorial_languages())
    if (auto names = episode_names(folder / language); !names.empty())
      sets.push_back({language, folder / language, std::move(names)});
  return sets;
}

void copy_episode(const fs::path& episode, const fs::path& target) {
  try {
    fs::remove_all(target);
    fs::create_directories(target);
    for (const auto& entry : fs::directory_iterator(episode)) {
      const auto name = entry.path().filename();
      // Without copy_symlinks, links are followed: the data comes along as a file.
      if (name != compiled_python) fs::copy(entry.path(), target / name, fs::copy_options::recursive);
    }
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorCode::denied, "cannot copy the episode to " + target.string() + ": " + error.code().message(),
                "Copy failed");
  }
}

}  // namespace metaflow::cli
