#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compute/fork_server.hpp"
#include "runtime/launcher.hpp"
#include "runtime/step_command.hpp"
#include "runtime/task_attempt.hpp"

namespace metaflow::compute {

/// Executes one task attempt to its end in the calling process.
using ExecuteTask = std::function<runtime::TaskOutcome(const runtime::TaskRequest&, const runtime::AwaitNodes&)>;

/// What a process does at the end of its life as a task.
using LeaveTask = std::function<void()>;

/// What a language has to say about the processes of its tasks; all may be empty.
struct ProcessHooks {
  Fork fork = {};
  LeaveTask leave = {};
};

/// Each task is a child of a fork server, made here: call before threads exist and before data is loaded, as every task
/// gets a copy of the process as it is now. The fork server and all tasks end with the launcher. `prepare`, if any, is
/// called in the fork server before each task is forked.
std::unique_ptr<runtime::Launcher> make_fork_launcher(ExecuteTask execute, PrepareTask prepare = {},
                                                      ProcessHooks hooks = {});

/// What starts a fresh process of the same program.
struct StepProgram {
  std::string path;                    ///< such as /proc/self/exe; a name without slashes is looked up in PATH
  std::vector<std::string> arguments;  ///< argv[0] and the options before the command
  /// The command that executes a task, and its options.
  std::function<std::vector<std::string>(const runtime::TaskRequest&)> command = runtime::step_arguments;
};
/// Each task is that program started again, with the public `step` command (cli.md 12) unless another one is named. Its
/// processes hang below a fork server too, so they end in the same ways.
std::unique_ptr<runtime::Launcher> make_spawn_launcher(StepProgram program);

/// The rest of this process's life as a task: executes `request`, says how it went on the control descriptor (if it was
/// started by a launcher), and returns the exit code. An Error is shown on standard error as the command line does.
/// `leave`, if any, is called in between: once the outcome is stored, and before it is told.
int run_task_process(const ExecuteTask& execute, const runtime::TaskRequest& request, int control_descriptor,
                     const LeaveTask& leave = {});
/// The control descriptor a spawn launcher gave this process, close-on-exec from now on and gone from the environment;
/// -1 when none did, as for `step` typed by hand.
int inherited_control_descriptor();

}  // namespace metaflow::compute
