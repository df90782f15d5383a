#include "base/clock.hpp"
#include "cli/commands.hpp"
#include "cli/execution.hpp"
#include "cli/run_parameters.hpp"
#include "datastore/artifacts.hpp"

namespace metaflow::cli {

void describe_run(Command& command, const FlowProgram& program) {
  command.options = parameter_options(program.flow);
  add_execution_options(command, program);
  command.options.push_back({.name = "namespace",
                             .help = "What the client sees inside the run, instead of your own runs; empty: all runs.",
                             .variable = "USER_NAMESPACE"});
}

int execute_run(Invocation& invocation) {
  Execution execution(invocation, find_roots(invocation, true));
  const auto& program = execution.program();
  const auto& records = execution.roots().records;
  const auto identity = metadata::current_identity();
  const auto options =
      run_options(invocation, records, invocation.own.optional_text("namespace").value_or(identity.name_space()));
  RunParameters parameters(program, invocation.own, identity.user);
  validate_flow(program.flow, invocation.console);
  const auto values = std::move(parameters).store(datastore::data_tools_root(records), [&](const std::string& line) {
    invocation.console.echo(line);
  });
  auto stores = execution.make_stores();
  return runtime::run_flow(program, options, values, stores.both(), execution.launcher(), system_clock());
}

}  // namespace metaflow::cli
