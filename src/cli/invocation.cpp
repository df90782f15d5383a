#include "cli/invocation.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/clock.hpp"
#include "base/configuration.hpp"
#include "base/version.hpp"
#include "cli/settings_check.hpp"
#include "gateway/cloud.hpp"

namespace metaflow::cli {
namespace {

Option choice(std::string name, std::string help, std::vector<std::string> choices, Visibility visibility) {
  return {.name = std::move(name),
          .help = std::move(help),
          .default_text = choices.front(),
          .choices = choices,
          .visibility = visibility};
}

/// What the command line, the environment or the configuration says about where things go.
std::string configured(const Arguments& top, const Configuration& configuration, const std::string& option,
                       std::string_view setting_name) {
  if (top.given(option)) return top.text(option);
  return configuration.text(setting_name).value_or(top.text(option));
}

/// The kind that is asked for; Error(usage) when it is none of `available`.
std::string require_kind(const Arguments& top, const Configuration& configuration, const std::string& option,
                         std::string_view setting_name, const std::vector<std::string>& available) {
  auto kind = configured(top, configuration, option, setting_name);
  if (std::ranges::find(available, kind) == available.end())
    throw Error(
        ErrorCode::usage,
        fmt::format("Invalid value for '--{}': '{}' is not available in this version; only '{}' {} "
                    "(METAFLOW_{} or the configuration asks for it).",
                    option, kind, fmt::join(available, "' and '"), available.size() == 1 ? "is" : "are", setting_name));
  return kind;
}

/// `asked` is what --datastore-root or its setting say.
std::string s3_root(const Configuration& configuration, const std::optional<std::string>& asked) {
  auto root = asked.value_or("");
  if (root.empty()) root = configuration.text("DATASTORE_SYSROOT_S3").value_or("");
  while (root.ends_with('/')) root.pop_back();
  if (!root.starts_with("s3://") || root.size() == std::string_view("s3:/").size() + 1)
    throw Error(ErrorCode::usage,
                fmt::format("The datastore s3 needs to know where it is, and {}. Set METAFLOW_DATASTORE_SYSROOT_S3 to "
                            "s3://bucket/prefix, or give --datastore-root.",
                            root.empty() ? "nothing says so" : "'" + root + "' is no place in S3"));
  return root;
}

/// Said by a task, it goes into the task's log.
void say(const std::string& sentence) { std::fprintf(stderr, "%s\n", sentence.c_str()); }

/// Says what the user should know about a datastore that is found or will be made.
std::string checked_root(const Invocation& invocation, const LocalRoot& root, std::string_view kind, bool announce) {
  if (!root.foreign_owner.empty())
    invocation.console.echo(fmt::format("The datastore {} belongs to {}: believe what it holds only if you trust them.",
                                        root.path, root.foreign_owner),
                            Style::highlight);
  if (!root.exists && announce)
    invocation.console.echo(fmt::format("Creating {} datastore in current directory ({})", kind, root.path));
  return root.path;
}

Option option_of(const FlowOption& option) {
  using Kind = FlowOption::Kind;
  constexpr std::array kinds = {std::pair(Kind::text, OptionKind::text), std::pair(Kind::flag, OptionKind::flag),
                                std::pair(Kind::repeated, OptionKind::repeated),
                                std::pair(Kind::pairs, OptionKind::pairs)};
  const auto kind = std::ranges::find(kinds, option.kind, &std::pair<Kind, OptionKind>::first)->second;
  return {.name = option.name,
          .kind = kind,
          .type = option.type_name,
          .help = option.help,
          .off_name = option.off_name,
          .variable = option.variable};
}

}  // namespace

Command top_level_options(const FlowProgram& program) {
  const auto shown = Visibility::shown, accepted = Visibility::accepted;
  Command command = {
      .name = "",
      .summary = "",
      .options = {
          {.name = "quiet", .kind = OptionKind::flag, .help = "Say only what is asked for.", .off_name = "not-quiet"},
          choice("metadata", "Where runs are recorded.", {"local"}, shown),
          choice("datastore", "Where artifacts are stored.", {"local", "s3"}, shown),
          {.name = "datastore-root",
           .help = "The folder of the datastore, instead of the nearest .metaflow; or with s3 its s3:// URL."},
          {.name = "with",
           .kind = OptionKind::repeated,
           .type = "DECORATOR",
           .help = "Add a decorator to all steps, for example retry:times=3. May be repeated.",
           .variable = "DECOSPECS"},
          {.name = "mode", .help = "Look at what 'spin' left, instead of runs.", .choices = {"spin"}},
          choice("environment", "", {"local"}, accepted),
          {.name = "package-suffixes",
           .help = "Suffixes of the sources in the code package, separated by commas, instead of those of C++."},
          {.name = "pylint", .kind = OptionKind::flag, .off_name = "no-pylint", .visibility = accepted},
          choice("event-logger", "", {"nullSidecarLogger"}, accepted),
          choice("monitor", "", {"nullSidecarMonitor"}, accepted),
      }};
  for (const auto& option : program.binding.options) command.options.push_back(option_of(option));
  return command;
}

void show_banner(const Invocation& invocation) {
  if (invocation.console.quiet()) return;
  const auto identity = metadata::current_identity();
  invocation.console.echo(
      fmt::format("Metaflow {} executing {} for {}", version, invocation.flow_name(), identity.name_space()),
      Style::banner);
  if (identity.is_fallback_root)
    invocation.console.echo("No user is named but root; set METAFLOW_USER to keep your runs apart from others'.");
}

Roots find_roots(const Invocation& invocation, bool announce) {
  const auto& top = invocation.top;
  // Tasks are started with all of these, and so read no file.
  const bool is_settled = top.given("datastore") && top.given("metadata") && top.given("datastore-root");
  const auto configuration = is_settled && !invocation.starts_run ? Configuration() : Configuration::read();
  if (invocation.starts_run) check_settings(configuration, top, invocation.console);
  const auto kind = require_kind(top, configuration, "datastore", "DEFAULT_DATASTORE", {"local", "s3"});
  require_kind(top, configuration, "metadata", "DEFAULT_METADATA", {"local"});
  const auto asked =
      top.given("datastore-root") ? top.optional_text("datastore-root") : configuration.text("DATASTORE_ROOT");
  const bool is_spin = top.text("mode") == "spin";
  if (kind == "s3" && !is_spin)
    return {.records = checked_root(invocation, find_local_root(), "local", announce),
            .objects = s3_root(configuration, asked)};
  if (kind == "local" && asked && !asked->empty())
    return local_roots(std::filesystem::absolute(*asked).lexically_normal().string());
  if (is_spin) return local_roots(checked_root(invocation, find_spin_root(), "spin", announce));
  return local_roots(checked_root(invocation, find_local_root(), "local", announce));
}

Roots find_spin_roots(const Invocation& invocation) {
  return local_roots(checked_root(invocation, find_spin_root(), "spin", true));
}

std::string metadata_description(const std::string& root) {
  const std::filesystem::path path(root);
  const auto name = path.filename().string();
  if (name == spin_folder_name) return "spin@" + path.parent_path().string();
  return "local@" + (name == ".metaflow" ? path.parent_path() : path).string();
}

OpenedStores::OpenedStores(const Roots& roots, const std::vector<std::string>& more_system_tags)
    : objects_(roots.is_local() ? storage::open_directory_store(roots.objects)
                                : gateway::cloud().open_s3_store(roots.objects, say)),
      metadata_(metadata::open_local_metadata(roots.records, system_clock(),
                                              {more_system_tags.begin(), more_system_tags.end()})) {}

std::vector<std::string> split_path(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == '/')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  const bool is_plain = std::none_of(
      parts.begin(), parts.end(), [](const std::string& part) { return part.empty() || part == "." || part == ".."; });
  return is_plain ? parts : std::vector<std::string>();
}

InputPath parse_input_path(const std::string& text) {
  auto parts = split_path(text);
  if (parts.size() < 2 || parts.size() > 3)
    throw Error(ErrorCode::invalid, fmt::format("'{}' is neither run/step nor run/step/task.", text),
                "Invalid command");
  parts.resize(3);
  return {parts[0], parts[1], parts[2]};
}

bool comes_before(const std::string& id, const std::string& other) {
  return std::pair(id.size(), std::string_view(id)) < std::pair(other.size(), std::string_view(other));
}

void sort_task_ids(std::vector<std::string>& ids) { std::ranges::sort(ids, comes_before); }

}  // namespace metaflow::cli
