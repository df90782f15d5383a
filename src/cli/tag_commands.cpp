#include <algorithm>
#include <map>
#include <utility>

#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <metaflow/client.hpp>

#include "cli/commands.hpp"
#include "cli/help_text.hpp"

namespace metaflow::cli {
namespace {

/// A tag, and whether it is one that users may change.
struct Tag {
  std::string text;
  bool is_users = false;

  auto operator<=>(const Tag&) const = default;
};

constexpr std::size_t terminal_columns = 120, gap = 4;

Error refused(const std::string& message) { return {ErrorCode::invalid, message, "Invalid command"}; }

/// Column by column, 120 columns wide. Users' tags stand out on a terminal.
std::string in_columns(const std::vector<Tag>& tags) {
  const bool emphasised = ::isatty(STDOUT_FILENO) == 1;
  std::size_t width = 1;
  for (const auto& tag : tags) width = std::max(width, column_count(tag.text));
  const auto across = std::max<std::size_t>(1, (terminal_columns + gap) / (width + gap));
  const auto down = (tags.size() + across - 1) / across;
  std::string text;
  for (std::size_t row = 0; row < down; ++row) {
    std::string padding;
    for (std::size_t i = row; i < tags.size(); i += down) {
      const auto& tag = tags[i];
      text += padding + (emphasised && tag.is_users ? "\033[1m" + tag.text + "\033[0m" : tag.text);
      padding = std::string(width - column_count(tag.text) + gap, ' ');
    }
    text += '\n';
  }
  return text;
}

struct TaggedRun {
  std::string pathspec;
  std::set<std::string> user_tags, system_tags;

  std::vector<Tag> tags(bool with_system_tags) const {
    std::vector<Tag> all;
    for (const auto& tag : user_tags) all.push_back({tag, true});
    if (with_system_tags)
      for (const auto& tag : system_tags) all.push_back({tag, false});
    std::sort(all.begin(), all.end());
    return all;
  }
};

TaggedRun tagged(const client::Run& run) { return {run.pathspec(), run.user_tags(), run.system_tags()}; }

std::vector<Tag> tags_of_all(const std::vector<TaggedRun>& runs, bool with_system_tags) {
  std::set<Tag> all;
  for (const auto& run : runs)
    for (const auto& tag : run.tags(with_system_tags)) all.insert(tag);
  return {all.begin(), all.end()};
}

void print_heading() {
  constexpr std::string_view heading = "System tags and tags; only tags can be modified";
  print(fmt::format("\n{}\n{}\n\n", heading, std::string(heading.size(), '-')));
}

/// `<runs> ; <system tags> ; <user tags>`
std::string parseable(const std::vector<std::string>& pathspecs, const std::vector<Tag>& tags) {
  std::vector<std::string> system, user;
  for (const auto& tag : tags) (tag.is_users ? user : system).push_back(tag.text);
  return fmt::format("{} ; {} ; {}\n", fmt::join(pathspecs, ","), fmt::join(system, ","), fmt::join(user, ","));
}

std::vector<std::string> pathspecs_of(const std::vector<TaggedRun>& runs) {
  std::vector<std::string> pathspecs;
  for (const auto& run : runs) pathspecs.push_back(run.pathspec);
  return pathspecs;
}

void print_together(const std::vector<TaggedRun>& runs, bool with_system_tags, bool quiet) {
  const auto tags = tags_of_all(runs, with_system_tags);
  if (quiet) return print(parseable(pathspecs_of(runs), tags));
  print_heading();
  print(in_columns(tags));
}

void print_by_run(const std::vector<TaggedRun>& runs, bool with_system_tags, bool quiet) {
  if (!quiet) print_heading();
  for (const auto& run : runs) {
    const auto tags = run.tags(with_system_tags);
    print(quiet ? parseable({run.pathspec}, tags) : fmt::format("For run {}\n{}\n", run.pathspec, in_columns(tags)));
  }
}

void print_by_tag(const std::vector<TaggedRun>& runs, bool with_system_tags, bool quiet) {
  std::map<Tag, std::vector<std::string>> having;
  for (const auto& run : runs)
    for (const auto& tag : run.tags(with_system_tags)) having[tag].push_back(run.pathspec);
  if (!quiet) print_heading();
  for (const auto& [tag, pathspecs] : having) {
    if (quiet) {
      print(fmt::format("{}:{} ; {}\n", tag.is_users ? "user" : "system", tag.text, fmt::join(pathspecs, ",")));
      continue;
    }
    std::vector<Tag> entries;
    for (const auto& pathspec : pathspecs) entries.push_back({pathspec, false});
    print(fmt::format("For tag {}\n{}\n", tag.text, in_columns(entries)));
  }
}

client::Options options_of(const Invocation& invocation, std::optional<std::string> name_space) {
  const std::filesystem::path root = find_roots(invocation, false).records;
  // An empty namespace is the global one.
  if (name_space && name_space->empty()) name_space.reset();
  return {.folder = {}, .name_space = std::move(name_space), .root = root};
}

/// The runs of this flow; none when it has never run, or not in the namespace.
std::vector<client::Run> runs_of(const Invocation& invocation, const client::Options& options) {
  try {
    return client::Flow(invocation.flow_name(), options).runs();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found && error.code() != ErrorCode::denied) throw;
    return {};
  }
}

client::Run find_run(const Invocation& invocation, const std::string& id, const client::Options& options) {
  try {
    return client::Run(invocation.flow_name() + '/' + id, options);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found && error.code() != ErrorCode::denied) throw;
    const auto where = error.code() == ErrorCode::denied
                           ? fmt::format(" in namespace {}; --namespace \"\" looks in all", *options.name_space)
                           : std::string();
    throw refused(fmt::format("There is no run {}/{}{}.", invocation.flow_name(), id, where));
  }
}

/// The run to change: it has to be named, as a slip would change the wrong one.
client::Run run_to_change(const Invocation& invocation) {
  const auto name_space = invocation.own.optional_text("namespace").value_or(metadata::current_identity().name_space());
  const auto options = options_of(invocation, name_space);
  if (const auto id = invocation.own.optional_text("run-id")) return find_run(invocation, *id, options);
  const auto runs = runs_of(invocation, options);
  const auto latest =
      runs.empty() ? std::string("It has no run") : fmt::format("Its latest run has id {}", runs.front().id());
  throw refused(fmt::format("Say by --run-id which run of {} is meant. {}{}.", invocation.flow_name(), latest,
                            options.name_space ? " in namespace " + *options.name_space : ""));
}

int change(Invocation& invocation, const std::set<std::string>& removed, const std::set<std::string>& added) {
  const auto run = run_to_change(invocation);
  run.replace_tags(removed, added);
  if (!invocation.console.quiet()) print("Operation successful. New tags:\n");
  print_together({tagged(run)}, true, invocation.console.quiet());
  return 0;
}

std::set<std::string> as_set(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

int execute_add(Invocation& invocation) { return change(invocation, {}, as_set(invocation.own.arguments())); }
int execute_remove(Invocation& invocation) { return change(invocation, as_set(invocation.own.arguments()), {}); }

int execute_replace(Invocation& invocation) {
  const auto removed = as_set(invocation.own.list("remove")), added = as_set(invocation.own.list("add"));
  if (removed.empty()) throw refused("Nothing is to be removed; use 'tag add' to add tags alone.");
  if (added.empty()) throw refused("Nothing is to be added; use 'tag remove' to remove tags alone.");
  return change(invocation, removed, added);
}

void refuse_together(const Arguments& own, std::initializer_list<const char*> names) {
  std::vector<std::string> given;
  for (const auto* name : names)
    if (own.given(name)) given.push_back("--" + std::string(name));
  if (given.size() > 1) throw refused(fmt::format("Options {} exclude each other.", fmt::join(given, " and ")));
}

std::vector<TaggedRun> runs_to_list(const Invocation& invocation) {
  const auto& own = invocation.own;
  refuse_together(own, {"run-id", "all", "my-runs"});
  auto id = own.optional_text("run-id");
  if (const auto argument = own.argument(0)) {
    if (id || own.given("all") || own.given("my-runs"))
      throw refused("A RUN-ID excludes the options --run-id, --all and --my-runs.");
    id = argument;
  }
  std::vector<TaggedRun> runs;
  if (id) return {tagged(find_run(invocation, *id, options_of(invocation, std::nullopt)))};
  const auto name_space =
      own.given("my-runs") ? std::optional("user:" + metadata::current_identity().user) : std::nullopt;
  for (const auto& run : runs_of(invocation, options_of(invocation, name_space))) runs.push_back(tagged(run));
  return runs;
}

int execute_list(Invocation& invocation) {
  const auto& own = invocation.own;
  refuse_together(own, {"group-by-run", "group-by-tag", "flat"});
  const auto runs = runs_to_list(invocation);
  const bool with_system_tags = !own.flag("hide-system-tags"), quiet = invocation.console.quiet();
  if (own.flag("flat")) {
    for (const auto& tag : tags_of_all(runs, with_system_tags)) print(tag.text + '\n');
  } else if (own.flag("group-by-run")) {
    print_by_run(runs, with_system_tags, quiet);
  } else if (own.flag("group-by-tag")) {
    print_by_tag(runs, with_system_tags, quiet);
  } else {
    print_together(runs, with_system_tags, quiet);
  }
  return 0;
}

std::vector<Option> change_options() {
  return {{.name = "run-id", .help = "The run to change; needed."},
          {.name = "namespace",
           .help = "Where the run has to be, instead of among your own runs; empty: anywhere.",
           .variable = "USER_NAMESPACE"}};
}

void describe_add(Command& command, const FlowProgram&) {
  command.arguments = {{.name = "TAGS", .repeated = true}};
  command.options = change_options();
}

void describe_remove(Command& command, const FlowProgram&) {
  command.description =
      "Remove tags from a run. Tags that the engine gave cannot be removed; ones that the run does not "
      "have are passed over.";
  command.arguments = {{.name = "TAGS", .repeated = true}};
  command.options = change_options();
}

void describe_replace(Command& command, const FlowProgram&) {
  command.description = "Remove tags and add others in one go: nobody sees the run without both or with both.";
  command.options = change_options();
  command.options.push_back({.name = "add", .kind = OptionKind::repeated, .help = "A tag to add. May be repeated."});
  command.options.push_back(
      {.name = "remove", .kind = OptionKind::repeated, .help = "A tag to remove. May be repeated."});
}

void describe_list(Command& command, const FlowProgram&) {
  command.description =
      "Show the tags of one run, or of all runs of this flow. With --quiet before the command: lines "
      "for programs, '<runs> ; <system tags> ; <user tags>' or '<kind>:<tag> ; <runs>'.";
  command.arguments = {{"RUN-ID", false}};
  const auto flag = [](std::string name, std::string help) {
    return Option{.name = std::move(name), .kind = OptionKind::flag, .help = std::move(help)};
  };
  command.options = {{.name = "run-id", .help = "The run, as RUN-ID."},
                     flag("all", "All runs, whoever started them (default)."),
                     flag("my-runs", "Your own runs alone."),
                     flag("hide-system-tags", "Only tags that users gave."),
                     flag("group-by-tag", "Which runs have each tag."),
                     flag("group-by-run", "Which tags each run has."),
                     {.name = "flat", .kind = OptionKind::flag, .help = "", .visibility = Visibility::accepted}};
}

}  // namespace

const std::vector<FlowCommand>& tag_commands() {
  constexpr auto shown = Visibility::shown;
  static const std::vector<FlowCommand> commands = {
      {"add", "Add tags to a run.", shown, describe_add, execute_add},
      {"remove", "Remove tags from a run.", shown, describe_remove, execute_remove},
      {"replace", "Remove tags and add others at once.", shown, describe_replace, execute_replace},
      {"list", "Show the tags of runs.", shown, describe_list, execute_list},
  };
  return commands;
}

}  // namespace metaflow::cli
