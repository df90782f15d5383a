#pragma once

#include <functional>

#include <metaflow/task.hpp>

#include "base/clock.hpp"
#include "runtime/launcher.hpp"
#include "runtime/run.hpp"
#include "runtime/shared_input.hpp"

namespace metaflow::runtime {

/// Returns once all other nodes of the gang have ended well. Throws Error when nobody is there any more to say so.
using AwaitNodes = std::function<void()>;

/// Executes one task attempt in this process: registers it, runs the body, persists artifacts in the order of
/// docs/formats/datastore.md. A failing body is an outcome, not an exception; Error means that nothing could be
/// recorded as done. Prints a failure on standard error as `<flow F step s[i] (input: v)> failed:` and what happened.
/// A control task waits by `await_nodes` before it counts as done. Inputs found in `shared` are not read again.
TaskOutcome execute_task(const FlowProgram& program, const TaskRequest& request, Stores stores, Clock& clock,
                         const AwaitNodes& await_nodes, const SharedInput* shared = nullptr);

/// What is different for an attempt that starts from tasks of another datastore.
struct ForeignInputs {
  storage::ObjectStore& objects;  ///< where these tasks are
  /// Whether what the attempt leaves is stored, together with what it passes on of them; otherwise it leaves nothing.
  bool keeps_artifacts = true;
};
TaskOutcome execute_task(const FlowProgram& program, const TaskRequest& request, Stores stores,
                         const ForeignInputs& inputs, Clock& clock);

}  // namespace metaflow::runtime
