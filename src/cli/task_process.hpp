#pragma once

#include "cli/invocation.hpp"
#include "compute/launchers.hpp"

/// One task executed by this process: what `step` and `spin-step` have in common.
namespace metaflow::cli {

/// Which step and task, what it starts from, which attempt.
void add_task_options(Command& command);
/// The task that these options describe. Error(not_found) when the flow has no such step.
runtime::TaskRequest task_request(const Invocation& invocation);
/// The rest of this process's life; `control_descriptor` is that of inherited_control_descriptor(). Returns the exit code.
int run_task(const Invocation& invocation, runtime::TaskRequest request, int control_descriptor,
             const compute::ExecuteTask& execute);

}  // namespace metaflow::cli
