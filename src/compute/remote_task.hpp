#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.hpp"
#include "datastore/task_store.hpp"
#include "runtime/launcher.hpp"

namespace metaflow::compute {

/// An attempt on a machine of its own, as a job of AWS Batch, whose log nobody there keeps.
struct RemoteTask {
  runtime::TaskRequest request;
  std::uint64_t max_log_bytes = 10'000'000;  ///< per stream
};

/// Executes the attempt by `launcher` to its end, and returns the exit code. What it prints goes to this process's output as it comes, and line
/// by line with its time to the log in `logs`, again and again, where whoever waits for the job reads it. SIGTERM and SIGINT, with which
/// a job is ended, are passed on to the attempt. A log that cannot be stored is lost; the attempt goes on.
int run_remote_task(const RemoteTask& task, runtime::Launcher& launcher, datastore::TaskStore& logs, Clock& clock);

/// How long to wait before the log is stored again, of a task that has run so long: a quarter of a second at first, half a minute in the end.
std::chrono::milliseconds log_interval(std::chrono::seconds running);

}  // namespace metaflow::compute
