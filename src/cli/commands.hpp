#pragma once

#include <vector>

#include "cli/invocation.hpp"

namespace metaflow::cli {

/// Which decorators its flow gets beside its own: none, those given before the command, or also those of the command and
/// the configuration.
enum class MoreDecorators { none, given, all };

/// One command of flow programs. Its options are only put together when it is used.
struct FlowCommand {
  const char* name;
  const char* summary;
  Visibility visibility;
  /// Adds options and arguments; `program` for those that depend on the flow.
  void (*describe)(Command& command, const FlowProgram& program);
  /// Returns the exit code; throws Error. Null for a command that does nothing without one of its parts: its options stand
  /// before the part.
  int (*execute)(Invocation& invocation);
  /// Commands of its own, named after it: `tag add`.
  const std::vector<FlowCommand>* parts = nullptr;
  MoreDecorators decorators = MoreDecorators::none;
};

/// All of them, in the order of help.
const std::vector<FlowCommand>& flow_commands();
const std::vector<FlowCommand>& tag_commands();
const std::vector<FlowCommand>& log_commands();
const std::vector<FlowCommand>& package_commands();

void describe_run(Command& command, const FlowProgram& program);
int execute_run(Invocation& invocation);
void describe_resume(Command& command, const FlowProgram& program);
int execute_resume(Invocation& invocation);
void describe_spin(Command& command, const FlowProgram& program);
int execute_spin(Invocation& invocation);
void describe_spin_step(Command& command, const FlowProgram& program);
int execute_spin_step(Invocation& invocation);
void describe_package(Command& command, const FlowProgram& program);
void describe_step(Command& command, const FlowProgram& program);
int execute_step(Invocation& invocation);
void describe_check(Command& command, const FlowProgram& program);
int execute_check(Invocation& invocation);
int execute_show(Invocation& invocation);
int execute_output_dot(Invocation& invocation);
void describe_output_raw(Command& command, const FlowProgram& program);
int execute_output_raw(Invocation& invocation);
void describe_dump(Command& command, const FlowProgram& program);
int execute_dump(Invocation& invocation);
void describe_logs(Command& command, const FlowProgram& program);
int execute_logs(Invocation& invocation);
int execute_version(Invocation& invocation);
int execute_help(Invocation& invocation);

/// Makes the flow of `invocation` what it is to be for `command`: the decorators attached, by the flow's language if it does that
/// itself, which is told what the command line says in any case.
void prepare_flow(Invocation& invocation, const std::string& command, MoreDecorators decorators);

/// Throws Error that says what is wrong with the flow, if anything is.
void require_valid(const model::Flow& flow);
/// The same, and says that all is well.
void validate_flow(const model::Flow& flow, const Console& console);

}  // namespace metaflow::cli
