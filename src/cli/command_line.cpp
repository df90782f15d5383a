#include <algorithm>
#include <filesystem>
#include <new>

#include <metaflow/error.hpp>
#include <metaflow/task.hpp>

#include <fmt/format.h>

#include "base/pipes.hpp"
#include "base/version.hpp"
#include "cli/commands.hpp"
#include "cli/help_text.hpp"
#include "cli/suggestion.hpp"

namespace metaflow::cli {
namespace {

constexpr const char* environment_prefix = "METAFLOW";

void describe_nothing(Command&, const FlowProgram&) {}

std::string program_name(const Invocation& invocation) {
  // `metaflow hello.cpp` is one name: what to type again.
  if (invocation.script.starts_with("metaflow ")) return invocation.script;
  return std::filesystem::path(invocation.script).filename().string();
}

Command described(const FlowCommand& command, const FlowProgram& program, const std::string& group = "") {
  Command table{.name = group + command.name, .summary = command.summary};
  command.describe(table, program);
  return table;
}

const FlowCommand& find_command(const std::vector<FlowCommand>& commands, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& each : commands) {
    if (each.name == name) return each;
    if (each.visibility == Visibility::shown) names.emplace_back(each.name);
  }
  throw Error(ErrorCode::usage, fmt::format("No such command '{}'.{}", name, did_you_mean(name, names)));
}

std::vector<Command> shown_commands(const std::vector<FlowCommand>& commands) {
  std::vector<Command> shown;
  for (const auto& each : commands)
    if (each.visibility == Visibility::shown) shown.push_back({.name = each.name, .summary = each.summary});
  return shown;
}

std::string top_level_help(const Invocation& invocation) {
  auto options = top_level_options(invocation.program);
  options.description = invocation.program.flow.documentation;
  const auto program = program_name(invocation);
  return help_text(program, options, environment_prefix, shown_commands(flow_commands())) +
         fmt::format("'{} run --help' shows the parameters of this flow.\n", program);
}

/// Runs `action`; an Error(usage) is shown as one of `table` and makes exit code 2.
template <class Action>
int with_usage(const Invocation& invocation, const Command& table, Action action) {
  try {
    return action();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::usage) throw;
    const auto program = program_name(invocation);
    invocation.console.usage_error(usage_line(program, table),
                                   table.name.empty() ? program : program + ' ' + table.name, error.what());
    return 2;
  }
}

int execute_command(Invocation& invocation, const FlowCommand& command, const std::vector<std::string>& words,
                    const std::string& group = "");

/// Of a command that does nothing by itself: the part that is named behind its options.
int execute_part(Invocation& invocation, const FlowCommand& command, Command table,
                 const std::vector<std::string>& words) {
  const auto prefix = environment_prefix_of(table.name);
  const auto arguments = parse_arguments(table, words, prefix, Followed::by_command);
  const auto& rest = arguments.rest();
  if (arguments.help_wanted()) {
    table.arguments = {{"COMMAND"}, {"ARGS", false, true}};
    print(help_text(program_name(invocation), table, prefix, shown_commands(*command.parts)));
    return 0;
  }
  if (rest.empty()) throw Error(ErrorCode::usage, "Missing command.");
  const auto& part = find_command(*command.parts, rest.front());
  return execute_command(invocation, part, {rest.begin() + 1, rest.end()}, table.name + ' ');
}

int execute_command(Invocation& invocation, const FlowCommand& command, const std::vector<std::string>& words,
                    const std::string& group) {
  const auto is_part = [&](const FlowCommand& part) { return !words.empty() && words.front() == part.name; };
  if (command.parts != nullptr)
    if (const auto part = std::ranges::find_if(*command.parts, is_part); part != command.parts->end())
      return execute_command(invocation, *part, {words.begin() + 1, words.end()}, group + command.name + ' ');
  const auto table = described(command, invocation.program, group);
  return with_usage(invocation, table, [&] {
    if (command.execute == nullptr) return execute_part(invocation, command, table, words);
    const auto prefix = environment_prefix_of(table.name);
    const auto top = top_level_options(invocation.program);
    const bool wants_help = std::ranges::find(words, "--help") != words.end();
    // Help reads no configuration: it works however damaged that is.
    if (!wants_help) show_banner(invocation);
    invocation.own = parse_arguments(table, words, prefix, Followed::by_arguments, &top);
    if (!invocation.own.help_wanted()) {
      invocation.starts_run = command.decorators == MoreDecorators::all;
      prepare_flow(invocation, table.name, command.decorators);
      return command.execute(invocation);
    }
    print(help_text(program_name(invocation), table, prefix,
                    command.parts == nullptr ? std::vector<Command>() : shown_commands(*command.parts)));
    return 0;
  });
}

/// The options of the command in use are those that may have been put before it by mistake.
Command misplaced_options(const Invocation& invocation, const std::vector<std::string>& words) {
  for (const auto& each : flow_commands())
    if (std::find(words.begin(), words.end(), each.name) != words.end()) return described(each, invocation.program);
  return {};
}

int execute_program(Invocation& invocation, const std::vector<std::string>& words) {
  const auto table = top_level_options(invocation.program);
  const FlowCommand* command = nullptr;
  std::vector<std::string> rest;
  const int code = with_usage(invocation, table, [&] {
    const auto elsewhere = misplaced_options(invocation, words);
    invocation.top = parse_arguments(table, words, environment_prefix, Followed::by_command, &elsewhere);
    invocation.console.be_quiet(invocation.top.flag("quiet"));
    rest = invocation.top.rest();
    if (!invocation.top.help_wanted()) command = &find_command(flow_commands(), rest.empty() ? "check" : rest.front());
    return 0;
  });
  if (code != 0) return code;
  if (command == nullptr) return execute_help(invocation);
  if (!rest.empty()) rest.erase(rest.begin());
  return execute_command(invocation, *command, rest);
}

std::string script_of(const FlowProgram& program, int argc, char** argv) {
  if (!program.binding.script.empty()) return program.binding.script;
  return argc > 0 ? argv[0] : program.flow.name;
}

}  // namespace

const std::vector<FlowCommand>& flow_commands() {
  constexpr auto shown = Visibility::shown, hidden = Visibility::accepted;
  constexpr auto all = MoreDecorators::all, given = MoreDecorators::given;
  static const std::vector<FlowCommand> commands = {
      {"run", "Run the flow on this machine.", shown, describe_run, execute_run, nullptr, all},
      {"resume", "Continue a run: execute what an earlier one left unfinished.", shown, describe_resume, execute_resume,
       nullptr, all},
      {"spin", "Execute one step alone, with the inputs of an earlier run.", shown, describe_spin, execute_spin,
       nullptr, all},
      {"check", "Check that the flow is valid (default).", shown, describe_check, execute_check},
      {"show", "Show the steps of the flow.", shown, describe_nothing, execute_show},
      {"dump", "Show the artifacts of a task, or of all tasks of a step.", shown, describe_dump, execute_dump},
      {"logs", "Show what a task printed, or all tasks of a step.", shown, describe_logs, execute_logs,
       &log_commands()},
      {"tag", "Show and change the tags of runs.", shown, describe_nothing, nullptr, &tag_commands()},
      {"package", "Show or save the code package: what another machine needs.", shown, describe_package, nullptr,
       &package_commands()},
      {"output-dot", "Draw the flow: a graph for Graphviz.", shown, describe_nothing, execute_output_dot},
      {"output-raw", "Show the graph of the flow in full.", shown, describe_output_raw, execute_output_raw},
      {"version", "Show the version of Metaflow.", shown, describe_nothing, execute_version},
      {"help", "Show this list.", shown, describe_nothing, execute_help},
      {"step", "Execute one task; how tasks are started again by themselves.", hidden, describe_step, execute_step,
       nullptr, given},
      {"spin-step", "The same for a task of 'spin'.", hidden, describe_spin_step, execute_spin_step, nullptr, given},
  };
  return commands;
}

int execute_version(Invocation& invocation) {
  invocation.console.echo(version);
  return 0;
}

int execute_help(Invocation& invocation) {
  print(top_level_help(invocation));
  return 0;
}

}  // namespace metaflow::cli

namespace metaflow {

int run_command_line(const FlowProgram& program, int argc, char** argv) {
  occupy_standard_descriptors();
  cli::Invocation invocation{.program = program, .script = cli::script_of(program, argc, argv)};
  try {
    const int code = cli::execute_program(invocation, {argv + std::min(argc, 1), argv + argc});
    cli::flush_output();
    return code;
  } catch (const Error& error) {
    invocation.console.error(error);
  } catch (const std::bad_alloc&) {
    invocation.console.error({ErrorCode::exhausted, "There is not enough memory for this."});
  } catch (const std::exception& error) {
    invocation.console.internal_error(error.what());
  } catch (...) {
    invocation.console.internal_error("something was thrown that is no std::exception");
  }
  return 1;
}

}  // namespace metaflow
