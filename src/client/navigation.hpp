#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/state.hpp"

/// How the steps and tasks of a run hang together.
namespace metaflow::client::detail {

enum class Direction { parents, children };

/// Steps next to `step` in the graph of the run, in its order, without `step` itself.
std::vector<std::string> related_steps(const RunState& run, const std::string& step, Direction direction);

/// Tasks that led to `task`, or to which it led, by step and then in split order.
std::vector<std::shared_ptr<const TaskState>> related_tasks(const TaskState& task, Direction direction);

}  // namespace metaflow::client::detail
