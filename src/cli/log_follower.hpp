#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <metaflow/client.hpp>

#include "client/task_log.hpp"
#include "storage/object_store.hpp"

namespace metaflow::cli {

/// Called with each line as it comes; the line holds for the time of the call.
using ShowLine = std::function<void(const client::Task& task, const client::StampedLine& line)>;

/// Whether a process executes the run still; nothing where that cannot be told.
using IsExecuted = std::function<std::optional<bool>()>;

/// How following ended: each attempt did, or their run is executed no more though some did not.
enum class FollowEnd { attempts_ended, run_abandoned };

/// Shows what attempts (`Task::at_attempt`) of one run have printed and go on to print, until each is done or has been given
/// up by its scheduler, or nobody executes the run any more. Woken by the files themselves; where `objects` are not in the folder of the
/// `records`, which are on this machine, it looks every five seconds. Where nobody can tell whether the run is executed, it does not return
/// while an attempt neither ends nor is ended.
FollowEnd follow_logs(storage::ObjectStore& objects, const std::string& records,
                      const std::vector<client::Task>& attempts, const std::vector<client::LogStream>& streams,
                      const ShowLine& show, const IsExecuted& is_executed);

}  // namespace metaflow::cli
