#include "cli/configure_commands.hpp"

#include <filesystem>
#include <set>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "base/configuration.hpp"
#include "base/files.hpp"
#include "base/known_settings.hpp"
#include "base/settings_file.hpp"
#include "cli/aws_wizard.hpp"
#include "cli/console.hpp"
#include "cli/settings_check.hpp"
#include "cli/table.hpp"
#include "cli/terminal_dialogue.hpp"

namespace metaflow::cli {
namespace {

Option profile_option() {
  return {.name = "profile",
          .short_name = "p",
          .type = "NAME",
          .help = "The configuration of this name, instead of METAFLOW_PROFILE's or the one without a name."};
}

Option yes_option(std::string help) { return {.name = "yes", .kind = OptionKind::flag, .help = std::move(help)}; }

std::string profile_of(const Arguments& arguments) {
  return arguments.optional_text("profile").value_or(active_profile());
}

/// What is stored for a profile; nothing at all is fine for the one without a name.
Settings stored_settings(const std::string& profile) {
  const auto path = profile_file(profile);
  const auto settings = read_settings(path);
  if (!settings && !profile.empty())
    throw Error(
        ErrorCode::not_found,
        fmt::format("There is no profile '{0}': {1} does not exist. 'metaflow configure aws --profile {0}' makes "
                    "it.",
                    profile, path),
        "No such profile");
  return settings.value_or(Settings());
}

void save(const std::string& path, const Settings& settings) {
  try {
    write_settings(path, settings);
  } catch (const Error& error) {
    throw Error(error.code(), error.what(), "Nothing was changed");
  }
}

[[noreturn]] void leave_as_it_is(const std::string& path) {
  throw Error(ErrorCode::cancelled, fmt::format("{} stays as it is.", path), "Nothing was changed");
}

void warn_of_slips(const Configuration& configuration) {
  for (const auto& line : mistyped_settings(configuration)) Console().echo(line, Style::highlight);
}

Secrets secrets_of(const Arguments& arguments) { return arguments.flag("secrets") ? Secrets::shown : Secrets::masked; }

std::string shown_value(std::string_view name, const std::string& text, Secrets secrets) {
  return setting_line(name, text, secrets).substr(name.size() + 1);
}

// show

std::string file_lines(const std::string& path, const Settings& settings, Secrets secrets) {
  if (settings.empty()) return fmt::format("Nothing is configured in {}: everything stays on this machine.\n", path);
  auto lines = fmt::format("Configuration in {}:\n\n", path);
  for (const auto& [key, value] : settings)
    lines += setting_line(key, setting_text(value).value_or("null"), secrets) + '\n';
  return lines;
}

/// Settings that anybody set. Of the environment those that are known, as others are not ours.
std::set<std::string> names_in_use(const Configuration& configuration) {
  std::set<std::string> names;
  for (const auto& source : configuration.sources())
    for (const auto& [key, value] : source.values) {
      if (!key.starts_with(setting_prefix)) continue;
      const auto name = key.substr(setting_prefix.size());
      if (!source.path.empty() || find_known_setting(name) != nullptr) names.insert(name);
    }
  return names;
}

/// Each setting with the value that holds, and below it the values that do not.
std::string origin_table(const Configuration& configuration, Secrets secrets) {
  Table table({{"SETTING"}, {"VALUE"}, {"SET BY"}});
  for (const auto& name : names_in_use(configuration)) {
    auto shown = setting_key(name);
    for (const auto& value : configuration.all_values(name)) {
      table.add({shown, shown_value(name, value.text, secrets), value.described_place()});
      shown = "  instead of";
    }
  }
  return table.empty() ? "Nothing is configured: everything stays on this machine.\n" : table.text();
}

std::string reference(const Configuration& configuration, Secrets secrets) {
  std::string text;
  for (auto known = known_settings().begin(); known != known_settings().end();) {
    const auto topic = known->topic;
    Table table({{"SETTING"}, {"VALUE"}, {"MEANING"}});
    for (; known != known_settings().end() && known->topic == topic; ++known)
      table.add({setting_key(known->name),
                 shown_value(known->name, configuration.text(known->name).value_or("-"), secrets),
                 std::string(known->meaning)});
    text += fmt::format("{}{}\n{}", text.empty() ? "" : "\n", topic_title(topic), table.text());
  }
  return text;
}

}  // namespace

Command configure_show_command() {
  return {.name = "show",
          .summary = "Show what is configured.",
          .options = {
              profile_option(),
              {.name = "origin",
               .kind = OptionKind::flag,
               .help = "Show what holds in this folder, and who set it: the environment, the project's .metaflow or "
                       "the profile, in this order."},
              {.name = "all", .kind = OptionKind::flag, .help = "Show every setting there is, and what it means."},
              {.name = "secrets", .kind = OptionKind::flag, .help = "Show keys and tokens in full."}}};
}

int show_configuration(const Arguments& arguments) {
  const auto profile = profile_of(arguments);
  const auto settings = stored_settings(profile);
  const auto configuration = Configuration::read_profile(profile);
  const auto secrets = secrets_of(arguments);
  if (arguments.flag("all"))
    print(reference(configuration, secrets));
  else if (arguments.flag("origin"))
    print(origin_table(configuration, secrets));
  else
    print(file_lines(profile_file(profile), settings, secrets));
  flush_output();
  warn_of_slips(configuration);
  return 0;
}

// export, import, reset

Command configure_export_command() {
  return {.name = "export",
          .summary = "Write the configuration to a file.",
          .options = {profile_option(), yes_option("Replace the file without asking.")},
          .arguments = {{"FILE"}}};
}

int export_configuration(const Arguments& arguments) {
  const auto settings = stored_settings(profile_of(arguments));
  const auto path = std::filesystem::absolute(*arguments.argument(0)).lexically_normal().string();
  // A slip in a path should not make folders.
  const auto folder = std::filesystem::path(path).parent_path();
  if (!std::filesystem::is_directory(folder))
    throw Error(ErrorCode::not_found, fmt::format("There is no folder {}.", folder.string()), "Nothing was changed");
  const bool asks = std::filesystem::exists(path) && !arguments.flag("yes");
  if (asks && !TerminalDialogue().agrees(fmt::format("{} exists already. Replace it?", path))) leave_as_it_is(path);
  save(path, settings);
  print(fmt::format("Exported to {}. Keys and tokens in it are readable.\n", path));
  return 0;
}

Command configure_import_command() {
  return {.name = "import",
          .summary = "Take the configuration from a file.",
          .options = {profile_option(), yes_option("Replace what is configured without asking.")},
          .arguments = {{"FILE"}}};
}

int import_configuration(const Arguments& arguments) {
  const auto from = *arguments.argument(0);
  const auto settings = read_settings(from);
  if (!settings) throw Error(ErrorCode::usage, fmt::format("There is no file '{}'.", from));
  const auto path = profile_file(profile_of(arguments));
  const bool asks = std::filesystem::exists(path) && !arguments.flag("yes");
  if (asks && !TerminalDialogue().agrees(fmt::format("{} exists already. Replace all of it?", path)))
    leave_as_it_is(path);
  save(path, *settings);
  print(fmt::format("Imported from {} to {}.\n", from, path));
  return 0;
}

Command configure_reset_command() {
  return {.name = "reset",
          .summary = "Remove the configuration: everything stays on this machine.",
          .options = {profile_option(), yes_option("Do not ask.")}};
}

int reset_configuration(const Arguments& arguments) {
  const auto profile = profile_of(arguments);
  const auto path = profile_file(profile);
  if (!std::filesystem::exists(path)) {
    (void)stored_settings(profile);
    print("There is no configuration to remove: everything stays on this machine.\n");
    return 0;
  }
  if (!arguments.flag("yes") && !TerminalDialogue().agrees(fmt::format("Remove {}?", path))) leave_as_it_is(path);
  remove_file(path);
  print(fmt::format("Removed {}: everything stays on this machine.\n", path));
  return 0;
}

// aws

Command configure_aws_command() {
  return {
      .name = "aws",
      .summary = "Set up S3 and AWS Batch, by questions.",
      .description =
          "Asks where runs are stored in S3, and by which queue and roles steps run on AWS Batch. What is stored "
          "already is "
          "offered, and what is not asked is kept. Answers may be piped in, one a line; Ctrl-C, or an end of the input "
          "before the last answer, changes nothing.",
      .options = {profile_option(),
                  {.name = "set",
                   .kind = OptionKind::repeated,
                   .type = "KEY=VALUE",
                   .help = "Answer beforehand, or set something that is not asked: --set BATCH_JOB_QUEUE=jobs. KEY= "
                           "removes it. May be repeated."},
                  yes_option("Ask nothing: --set and what is stored have all answers.")}};
}

int configure_aws(const Arguments& arguments) {
  const auto profile = profile_of(arguments);
  const auto path = profile_file(profile);
  const AwsSetup setup{.stored = read_settings(path).value_or(Settings()),
                       .given = parse_given_settings(arguments.list("set")),
                       .questions = arguments.flag("yes") ? Questions::unasked : Questions::asked};
  TerminalDialogue dialogue;
  Settings settings;
  {
    const InterruptNotice notice;
    settings = choose_aws_settings(setup, path, dialogue);
  }
  save(path, settings);
  print(fmt::format("\nWritten to {}. What to type next:\n", path));
  if (!profile.empty() && profile != active_profile()) print(fmt::format("  export METAFLOW_PROFILE={}\n", profile));
  print(
      "  metaflow configure show --origin   # what holds in this folder, and why\n"
      "  metaflow status                    # where runs are stored from now on\n");
  return 0;
}

std::string configuration_status() {
  const auto configuration = Configuration::read();
  const auto path = profile_file(active_profile());
  auto lines = file_size(path) ? fmt::format("Configuration in {}:\n\n", path)
                               : fmt::format("Nothing is configured in {}:\n\n", path);
  for (const auto* name : {"DEFAULT_DATASTORE", "DATASTORE_SYSROOT_S3", "BATCH_JOB_QUEUE"}) {
    const auto value = configuration.find(name);
    if (!value) continue;
    const auto place =
        value->origin == SettingOrigin::profile_file ? "" : fmt::format("   ({})", value->described_place());
    lines += setting_line(setting_key(name), value->text, Secrets::masked) + place + '\n';
  }
  return lines;
}

}  // namespace metaflow::cli
