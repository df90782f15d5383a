#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/launcher.hpp"
#include "runtime/run.hpp"

/// One step executed alone, with the inputs that a task of an earlier run had.
namespace metaflow::runtime {

/// What the task starts from.
struct SpinInputs {
  std::string origin;               ///< the earlier task, as `Flow/run/step/task`
  std::vector<std::string> inputs;  ///< tasks before it, `run/step/task`, in the order in which its step gets them
  std::optional<std::int64_t> split_index = {};  ///< of a task that a foreach started
};

/// Values that stand in for what the tasks before left under these names.
using Replacements = std::vector<NamedArtifact>;

/// Executes task 0 of a new run in `stores`, and nothing else; RunOptions::only_step names its step. `launcher` is to
/// call execute_spun_task. Returns the exit code, and reports, as run_flow does.
int spin_step(const FlowProgram& program, const RunOptions& options, const SpinInputs& inputs, Stores stores,
              Launcher& launcher, Clock& clock);

/// The task itself, in its process: reads what it starts from in `origin`, which stays as it is, and leaves its records in
/// `stores`, its artifacts only if `keeps_artifacts`.
TaskOutcome execute_spun_task(const FlowProgram& program, const TaskRequest& request, Stores stores,
                              const storage::ObjectStore& origin, const Replacements& replacements,
                              bool keeps_artifacts, Clock& clock);

}  // namespace metaflow::runtime
