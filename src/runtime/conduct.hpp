#pragma once

#include <functional>
#include <optional>

#include "runtime/run.hpp"
#include "runtime/run_log.hpp"
#include "runtime/scheduler.hpp"

/// What `run` and `resume` have in common.
namespace metaflow::runtime {

/// Whether a signal asked the run to stop.
using Interrupted = std::function<bool()>;

/// What is to be done once the run has its id and before its tasks: write what they start from, and say where the
/// scheduler begins; nothing when no task is to run. Long work asks `interrupted` from time to time and returns early.
using Prepare = std::function<std::optional<Beginning>(const metadata::RunRecord& run, RunLog& run_log,
                                                       const Interrupted& interrupted)>;

/// Takes an id for the run, prepares it, and drives it to its end; returns the exit code. Writes the run log to standard
/// output and the final error block to standard error; handles SIGINT, SIGTERM and SIGHUP meanwhile.
int conduct_run(const FlowProgram& program, const RunOptions& options, Stores stores, Launcher& launcher, Clock& clock,
                const Prepare& prepare);

/// The line that a run starts with.
void announce_run(RunLog& run_log, Clock& clock, const metadata::RunRecord& run);

}  // namespace metaflow::runtime
