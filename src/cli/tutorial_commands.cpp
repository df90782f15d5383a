#include "cli/tutorial_commands.hpp"

#include <algorithm>
#include <iostream>
#include <optional>

#include <unistd.h>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "base/files.hpp"
#include "cli/console.hpp"
#include "cli/installation.hpp"
#include "cli/suggestion.hpp"
#include "cli/tutorials.hpp"

namespace metaflow::cli {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

Option language_option() {
  return {.name = "language", .help = "Language of the episodes.", .choices = tutorial_languages()};
}

bool is_somebody_here() { return ::isatty(STDIN_FILENO) == 1; }

/// The line that somebody at the terminal types; empty at its end.
std::string ask(const std::string& question) {
  print(question);
  flush_output();
  std::string answer;
  std::getline(std::cin, answer);
  return answer;
}

Words names_of(const std::vector<TutorialSet>& sets) {
  Words names;
  for (const auto& set : sets) names.push_back(set.language);
  return names;
}

TutorialSet require_language(const std::vector<TutorialSet>& sets, const std::string& language) {
  const auto found = std::ranges::find(sets, language, &TutorialSet::language);
  if (found != sets.end()) return *found;
  throw Error(ErrorCode::usage, fmt::format("There are no tutorials in '{}' here; there are those in {}.", language,
                                            fmt::join(names_of(sets), " and ")));
}

std::vector<TutorialSet> installed_tutorials() {
  const auto folder = find_tutorials();
  auto sets = tutorial_sets(folder);
  if (sets.empty())
    throw Error(ErrorCode::not_found, fmt::format("There are no tutorials in {}.", folder.string()), "No tutorials");
  return sets;
}

/// The episodes that are meant, see the header. `episode` is the one asked for, if any.
TutorialSet choose_tutorials(const Arguments& arguments, const std::optional<std::string>& episode) {
  auto sets = installed_tutorials();
  if (const auto language = arguments.optional_text("language")) return require_language(sets, *language);
  const auto lacks_it = [&](const TutorialSet& set) { return std::ranges::count(set.episodes, *episode) == 0; };
  if (episode && !std::ranges::all_of(sets, lacks_it)) std::erase_if(sets, lacks_it);
  if (sets.size() == 1 || !is_somebody_here()) return sets.front();
  const auto answer =
      ask(fmt::format("Which language, {}? [{}] ", fmt::join(names_of(sets), " or "), sets[0].language));
  return answer.empty() ? sets.front() : require_language(sets, answer);
}

void require_episode(const TutorialSet& set, const std::string& name) {
  if (std::ranges::count(set.episodes, name) == 0)
    throw Error(ErrorCode::usage, fmt::format("There is no episode '{}'.{} 'metaflow tutorials list' shows them all.",
                                              name, did_you_mean(name, set.episodes)));
}

EpisodeText read_episode(const fs::path& folder) {
  return parse_episode(read_text_file((folder / "README.md").string()).value_or(""));
}

bool is_agreed(const fs::path& target) {
  if (!is_somebody_here())
    throw Error(ErrorCode::conflict,
                fmt::format("{} exists already, and nobody is here to be asked; remove it first.", target.string()),
                "Folder exists");
  const auto answer = ask(fmt::format("{} exists already. Replace it? [y/N] ", target.string()));
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace

Command list_tutorials_command() {
  return {.name = "list", .summary = "List the episodes.", .options = {language_option()}};
}

int list_tutorials(const Arguments& arguments) {
  const auto set = choose_tutorials(arguments, std::nullopt);
  print("Episodes:\n");
  for (const auto& name : set.episodes)
    print(fmt::format("* {:<20} - {}\n", name, read_episode(set.folder / name).title));
  print("\nTo pull the episodes, type:\nmetaflow tutorials pull\n");
  return 0;
}

Command describe_tutorial_command() {
  return {
      .name = "info", .summary = "Describe an episode.", .options = {language_option()}, .arguments = {{"EPISODE"}}};
}

int describe_tutorial(const Arguments& arguments) {
  const auto name = *arguments.argument(0);
  const auto set = choose_tutorials(arguments, name);
  require_episode(set, name);
  const auto episode = read_episode(set.folder / name);
  print(fmt::format("Synopsis:\n{}\n", episode.synopsis));
  const auto section = [](std::string_view heading, const Words& lines) {
    if (!lines.empty()) print(fmt::format("\n{}\n{}\n", heading, fmt::join(lines, "\n")));
  };
  section("Showcasing:", episode.showcasing);
  section("Before playing:", episode.before);
  section("To play:", episode.play);
  return 0;
}

Command pull_tutorials_command() {
  return {.name = "pull",
          .summary = "Copy the episodes into ./metaflow-tutorials.",
          .options = {{.name = "episode", .help = "This one alone."}, language_option()}};
}

int pull_tutorials(const Arguments& arguments) {
  const auto episode = arguments.optional_text("episode");
  auto set = choose_tutorials(arguments, episode);
  if (episode) {
    require_episode(set, *episode);
    set.episodes = {*episode};
  }
  for (const auto& name : set.episodes) {
    const auto target = fs::path("metaflow-tutorials") / name;
    if (fs::exists(target) && !is_agreed(target)) {
      print(fmt::format("{} stays as it is.\n", target.string()));
      continue;
    }
    copy_episode(set.folder / name, target);
    print(fmt::format("Pulled episode \"{}\" into {}.\n", name, target.string()));
  }
  print("\nTo know more about an episode, type:\nmetaflow tutorials info EPISODE\n");
  return 0;
}

}  // namespace metaflow::cli
