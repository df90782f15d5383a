#pragma once

#include <string>
#include <utility>
#include <vector>

#include "runtime/launcher.hpp"

/// A TaskRequest as the public `step` command (cli.md 12), for a task in a fresh process.
namespace metaflow::runtime {

/// `step <step> --run-id … --task-id …`: what follows the top-level options.
std::vector<std::string> step_arguments(const TaskRequest& request);

/// What a request holds that has no public option, as environment variables of the process that is to execute it.
std::vector<std::pair<std::string, std::string>> step_environment(const TaskRequest& request);
/// Sets them in this process.
void export_to_environment(const TaskRequest& request);
/// Fills that in on the other side, and takes it out of the environment. Without it: created now (`now_ms`). Error(usage)
/// for what nobody exported.
void import_from_environment(TaskRequest& request, std::int64_t now_ms);

}  // namespace metaflow::runtime
