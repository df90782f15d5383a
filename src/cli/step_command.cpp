#include "base/clock.hpp"
#include "cli/batch_execution.hpp"
#include "cli/commands.hpp"
#include "cli/execution.hpp"
#include "cli/task_process.hpp"
#include "compute/folder_guard.hpp"
#include "compute/remote_task.hpp"
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

/// The task is a child of this process, which keeps its log: in a job nobody else does.
int run_batch_job(const FlowProgram& program, runtime::TaskRequest request, const Roots& roots) {
  const compute::FolderGuard folder;
  request.temporary_folder = folder.path();
  const auto launcher = compute::make_fork_launcher(
      [&](const runtime::TaskRequest& task, const runtime::AwaitNodes& await_nodes) {
        OpenedStores stores(roots);
        // Records need a run to be of. All of them go with the container: those that stay are made by who waits for the job.
        stores.metadata().open_run_as(program.flow.name, task.run, {});
        return runtime::execute_task(program, task, stores.both(), system_clock(), await_nodes);
      },
      {}, process_hooks(program));
  OpenedStores stores(roots);
  datastore::TaskStore logs(stores.objects(), program.flow.name);
  return compute::run_remote_task({.request = std::move(request)}, *launcher, logs, system_clock());
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
  if (control < 0 && is_batch_job()) return run_batch_job(program, std::move(request), roots);
  return run_task(invocation, std::move(request), control,
                  [&](const runtime::TaskRequest& task, const runtime::AwaitNodes& await_nodes) {
                    OpenedStores stores(roots);
                    // The scheduler holds the flow as well, but a task that was started by hand has none.
                    const auto held = runtime::hold_flow(stores.both(), program.flow.name, datastore::IfAbsent::make);
                    return runtime::execute_task(program, task, stores.both(), system_clock(), await_nodes);
                  });
}

}  // namespace metaflow::cli
