#include "base/clock.hpp"
#include "cli/commands.hpp"
#include "cli/task_process.hpp"
#include "runtime/task_attempt.hpp"

namespace metaflow::cli {
namespace {

/// What belongs to a node of a gang, and only there.
void read_gang(const Arguments& own, runtime::TaskRequest& request) {
  const auto context = own.text("ubf-context");
  const auto nodes = own.integer("num-parallel");
  if (context == "none" && nodes == 0) return;
  const bool is_control = context == "ubf_control";
  if (is_control && !request.split_index) request.split_index = 0;
  const auto node = request.split_index.value_or(-1);
  if (context == "none" || node < 0 || node >= nodes || nodes > model::max_parallel || is_control != (node == 0))
    throw Error(ErrorCode::usage,
                "A node of a gang needs --ubf-context, --num-parallel and --split-index together: ubf_control is node "
                "0, ubf_task any other below --num-parallel.");
  request.num_parallel = nodes;
}

}  // namespace

void describe_step(Command& command, const FlowProgram&) {
  add_task_options(command);
  const auto add = [&](Option option) { command.options.push_back(std::move(option)); };
  add({.name = "tag", .kind = OptionKind::repeated, .help = "A tag of the run. May be repeated.", .variable = "TAGS"});
  add({.name = "clone-run-id", .help = "The run that this one resumes."});
  add({.name = "ubf-context",
       .help = "What the task is in its gang: ubf_control is node 0, ubf_task any other.",
       .default_text = "none",
       .choices = {"none", "ubf_control", "ubf_task"}});
  add({.name = "num-parallel",
       .kind = OptionKind::integer,
       .type = "INTEGER",
       .help = "Nodes of the gang; the task is the one of number --split-index.",
       .default_text = "0"});
}

int execute_step(Invocation& invocation) {
  // Taken at once, so that nothing started from here inherits it.
  const int control = compute::inherited_control_descriptor();
  const auto& program = invocation.program;
  auto request = task_request(invocation);
  request.origin_run_id = invocation.own.optional_text("clone-run-id");
  request.tags = invocation.own.list("tag");
  read_gang(invocation.own, request);
  const auto roots = find_roots(invocation, true);
  return run_task(invocation, std::move(request), control,
                  [&](const runtime::TaskRequest& task, const runtime::AwaitNodes& await_nodes) {
                    OpenedStores stores(roots);
                    // The scheduler holds the flow as well, but a task that was started by hand has none.
                    const auto held = runtime::hold_flow(stores.both(), program.flow.name, datastore::IfAbsent::make);
                    return runtime::execute_task(program, task, stores.both(), system_clock(), await_nodes);
                  });
}

}  // namespace metaflow::cli
