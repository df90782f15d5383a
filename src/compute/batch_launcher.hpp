#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "batch/job_request.hpp"
#include "batch/service.hpp"
#include "runtime/launcher.hpp"

namespace metaflow::compute {

/// What a Batch launcher leaves to others. It calls all of them in a thread of its own, one at a time, once there is a job.
struct BatchParts {
  /// Finds AWS Batch.
  std::function<std::unique_ptr<batch::Service>()> open_service;
  /// Makes the records that the attempt starts with, and says what its job has to run.
  std::function<batch::Work(const runtime::TaskRequest&)> prepare;
  /// What the attempt has left, once its job has ended; makes its last records. Nothing when it did not get to its end.
  std::function<std::optional<runtime::TaskOutcome>(const runtime::TaskRequest&)> outcome;
  /// All lines that the attempt has stored so far.
  std::function<std::string(const runtime::TaskRequest&, runtime::OutputStream)> read_log;
};

/// Whose jobs they are.
struct BatchOwner {
  std::string user, version;
};

/// Each task is a job of AWS Batch. All jobs are asked about together by one thread, which also submits and ends them, so that no call here
/// waits. What is told of a job, and what its task prints, comes as output with the id of the job in front. Jobs that are left when the
/// launcher goes are terminated. `flow` and `clock` outlive it.
std::unique_ptr<runtime::Launcher> make_batch_launcher(const model::Flow& flow, BatchOwner owner,
                                                       batch::Defaults defaults, BatchParts parts, Clock& clock);

/// Attempts of which `is_remote` says so start by `remote`, all others by `local`.
std::unique_ptr<runtime::Launcher> make_routing_launcher(std::unique_ptr<runtime::Launcher> local,
                                                         std::unique_ptr<runtime::Launcher> remote,
                                                         std::function<bool(const runtime::TaskRequest&)> is_remote);

/// Whether an attempt is to run on AWS Batch: its step says so, and there is something of the step to be run.
std::function<bool(const runtime::TaskRequest&)> runs_on_batch(const model::Flow& flow);

}  // namespace metaflow::compute
