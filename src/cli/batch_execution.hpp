#pragma once

#include <memory>

#include "cli/invocation.hpp"
#include "runtime/launcher.hpp"

/// Steps with `@batch`, as their run is wired together.
namespace metaflow::cli {

/// Sends attempts of steps with `@batch` to AWS Batch, and all others to `local`. Nothing is opened before there is one for Batch.
/// `invocation` outlives it; `roots` are those of its stores.
std::unique_ptr<runtime::Launcher> with_batch(std::unique_ptr<runtime::Launcher> local, const Invocation& invocation,
                                              const Roots& roots);

/// Whether this process is the job of a task: `step` then keeps the log of the task as well.
bool is_batch_job();

}  // namespace metaflow::cli
