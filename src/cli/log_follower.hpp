#pragma once

#include <functional>
#include <string>
#include <vector>

#include <metaflow/client.hpp>

#include "client/task_log.hpp"
#include "storage/object_store.hpp"

namespace metaflow::cli {

/// Called with each line as it comes; the line holds for the time of the call.
using ShowLine = std::function<void(const client::Task& task, const client::StampedLine& line)>;

/// Shows what attempts (`Task::at_attempt`) have printed and go on to print, until each is done or has been given up by its
/// scheduler. Woken by the files themselves, so these lie on this machine, in `objects`. Does not return while an attempt
/// neither ends nor is ended.
void follow_logs(storage::ObjectStore& objects, const std::vector<client::Task>& attempts,
                 const std::vector<client::LogStream>& streams, const ShowLine& show);

}  // namespace metaflow::cli
