#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <new>
#include <set>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "base/configuration.hpp"
#include "base/pipes.hpp"
#include "base/version.hpp"
#include "cli/arguments.hpp"
#include "cli/aws_status.hpp"
#include "cli/configure_commands.hpp"
#include "cli/console.hpp"
#include "cli/flow_file.hpp"
#include "cli/help_text.hpp"
#include "cli/new_project.hpp"
#include "cli/record_commands.hpp"
#include "cli/suggestion.hpp"
#include "cli/tutorial_commands.hpp"
#include "metadata/metadata.hpp"

namespace metaflow::cli {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

/// Whether a command says the version first, as official does, or nothing but what it was asked.
enum class Opening { version, nothing };

struct ProgramCommand {
  Command table;
  int (*execute)(const Arguments& arguments);  ///< null for a command that only has parts
  Opening opening = Opening::version;
  const std::vector<ProgramCommand>& (*parts)() = nullptr;
};

const std::vector<ProgramCommand>& program_commands();

const Command program = {.description =
                             "metaflow FILE.cpp COMMAND builds a flow from one C++ file and runs a command of "
                             "it: metaflow hello.cpp run. 'metaflow FILE.cpp help' lists those commands."};

std::string program_help() {
  std::vector<Command> commands;
  for (const auto& each : program_commands()) commands.push_back(each.table);
  return help_text("metaflow", program, "", commands);
}

int show_help(const Arguments&) {
  print(program_help());
  return 0;
}

int show_version(const Arguments&) { return 0; }  // said before every command

void show_flows(const LocalRoot& root) {
  if (!root.foreign_owner.empty()) print(fmt::format("It belongs to {}.\n", root.foreign_owner));
  print(fmt::format("Working tree found at: \"{}\"\n\n", fs::path(root.path).parent_path().string()));
  const auto flows = metadata::open_local_metadata(root.path)->flows();
  print(flows.empty() ? "No flow has run here yet.\n" : "Available flows:\n");
  for (const auto& flow : std::set<std::string>(flows.begin(), flows.end())) print(fmt::format("* Flow('{}')\n", flow));
}

int show_status(const Arguments&) {
  const auto root = find_local_root();
  if (root.exists) {
    show_flows(root);
    print("\n");
  }
  print(configuration_status());
  if (const auto lines = aws_status(Configuration::read()); !lines.empty()) print('\n' + lines);
  if (!root.exists)
    throw Error(ErrorCode::not_found,
                "There is no '.metaflow' in this folder or above it: nothing has run here yet, or it was elsewhere.",
                "No flows");
  return 0;
}

int make_new(const Arguments& arguments) {
  const auto name = *arguments.argument(0);
  make_project(fs::current_path(), name);
  print(fmt::format("{0}/ holds a flow that runs. To try it:\n    cd {0}\n    metaflow {0}.cpp run\n", name));
  return 0;
}

const std::vector<ProgramCommand>& tutorial_parts() {
  static const std::vector<ProgramCommand> commands = {
      {list_tutorials_command(), list_tutorials},
      {describe_tutorial_command(), describe_tutorial},
      {pull_tutorials_command(), pull_tutorials},
  };
  return commands;
}

const std::vector<ProgramCommand>& configure_parts() {
  static const std::vector<ProgramCommand> commands = {
      {configure_aws_command(), configure_aws},           {configure_show_command(), show_configuration},
      {configure_export_command(), export_configuration}, {configure_import_command(), import_configuration},
      {configure_reset_command(), reset_configuration},
  };
  return commands;
}

const std::vector<ProgramCommand>& program_commands() {
  static const std::vector<ProgramCommand> commands = {
      {{.name = "new", .summary = "Make a folder with a flow of your own that builds.", .arguments = {{"NAME"}}},
       make_new},
      {list_command(), list_records, Opening::nothing},
      {inspect_command(), inspect_record, Opening::nothing},
      {gc_command(), collect_garbage, Opening::nothing},
      {{.name = "tutorials", .summary = "List, describe and copy the tutorials."},
       nullptr,
       Opening::version,
       tutorial_parts},
      {{.name = "configure", .summary = "Say where runs are stored and steps run: this machine or AWS."},
       nullptr,
       Opening::version,
       configure_parts},
      {{.name = "status", .summary = "List the flows that have run here, and what is configured."}, show_status},
      {{.name = "version", .summary = "Show the version."}, show_version},
      {{.name = "help", .summary = "Show this message."}, show_help},
  };
  return commands;
}

/// Runs the command that `words` begin with; `parent` is what was typed before.
int dispatch(const std::string& parent, const std::vector<ProgramCommand>& commands, const Words& words) {
  Words names;
  for (const auto& each : commands) names.push_back(each.table.name);
  const auto found = std::find(names.begin(), names.end(), words.front());
  if (found == names.end())
    throw Error(ErrorCode::usage,
                fmt::format("No such command '{}'.{}", words.front(), did_you_mean(words.front(), names)));
  const auto& command = commands[static_cast<std::size_t>(found - names.begin())];
  const Words rest(words.begin() + 1, words.end());
  if (command.parts != nullptr && !rest.empty() && rest.front() != "--help")
    return dispatch(parent + ' ' + command.table.name, command.parts(), rest);
  std::vector<Command> tables;
  if (command.parts != nullptr)
    for (const auto& each : command.parts()) tables.push_back(each.table);
  const auto arguments = parse_arguments(command.table, rest, environment_prefix_of(command.table.name));
  if (command.execute != nullptr && !arguments.help_wanted()) return command.execute(arguments);
  print(help_text(parent, command.table, "", tables));
  return 0;
}

int execute(const Words& words) {
  if (words.empty() || words.front() == "--help") {
    print(fmt::format("Metaflow ({}): flows in plain C++, from a laptop to the cloud\n\n", version) + program_help());
    return 0;
  }
  const auto& first = words.front();
  if (is_flow_file(first)) return run_flow_file(first, {words.begin() + 1, words.end()});
  std::error_code ignored;
  if (first.find('/') != std::string::npos || fs::exists(first, ignored))
    throw Error(ErrorCode::usage,
                fs::is_directory(first, ignored)
                    ? fmt::format("'{}' is a folder; name the flow file in it: metaflow {}/FLOW.cpp run", first,
                                  fs::path(first).lexically_normal().string())
                    : fmt::format("'{}' is no C++ source file: its name should end in .cpp.", first));
  const auto is_silent = [&](const auto& each) { return each.table.name == first && each.opening == Opening::nothing; };
  if (std::ranges::none_of(program_commands(), is_silent)) print(fmt::format("Metaflow ({})\n\n", version));
  return dispatch("metaflow", program_commands(), words);
}

int run(const Words& words) {
  occupy_standard_descriptors();
  const Console console;
  try {
    const int code = execute(words);
    flush_output();
    return code;
  } catch (const Error& error) {
    std::fflush(stdout);
    if (error.code() == ErrorCode::usage) {
      console.usage_error(usage_line("metaflow", program), "metaflow", error.what());
      return 2;
    }
    console.error(error);
  } catch (const std::bad_alloc&) {
    console.error({ErrorCode::exhausted, "There is not enough memory for this."});
  } catch (const std::exception& error) {
    console.internal_error(error.what());
  }
  return 1;
}

}  // namespace
}  // namespace metaflow::cli

int main(int argc, char** argv) { return metaflow::cli::run({argv + std::min(argc, 1), argv + argc}); }
