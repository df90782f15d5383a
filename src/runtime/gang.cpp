#include "runtime/gang.hpp"

#include <fmt/format.h>

namespace metaflow::runtime {
namespace {

constexpr const char* this_machine = "127.0.0.1";

std::string suffix(std::int64_t node) { return fmt::format("_node_{}", node); }

}  // namespace

std::string node_task_id(std::string_view control_task, std::int64_t node) {
  return std::string(control_task) + (node == 0 ? "" : suffix(node));
}

std::vector<std::string> node_paths(const datastore::TaskPath& control_task, std::int64_t nodes) {
  std::vector<std::string> paths;
  for (std::int64_t node = 0; node < nodes; ++node) {
    auto path = control_task;
    path.task = node_task_id(control_task.task, node);
    paths.push_back(path.text());
  }
  return paths;
}

std::optional<Parallel> place_in_gang(const TaskRequest& request) {
  if (!request.num_parallel) return std::nullopt;
  const auto node = request.split_index.value_or(0);
  auto control = request.task;
  if (node != 0 && control.ends_with(suffix(node))) control.resize(control.size() - suffix(node).size());
  return Parallel{.main_ip = this_machine,
                  .num_nodes = static_cast<int>(*request.num_parallel),
                  .node_index = static_cast<int>(node),
                  .control_task_id = std::move(control)};
}

model::Variables gang_environment(const Parallel& place) {
  return {{"MF_PARALLEL_MAIN_IP", place.main_ip},
          {"MF_PARALLEL_NUM_NODES", std::to_string(place.num_nodes)},
          {"MF_PARALLEL_NODE_INDEX", std::to_string(place.node_index)},
          {"MF_PARALLEL_CONTROL_TASK_ID", place.control_task_id}};
}

Gang::Gang(PlannedTask planned, TaskRequest control)
    : planned_(std::move(planned)), control_(std::move(control)), nodes_(planned_.branching->ends.size()) {}

PlannedTask Gang::planned(std::size_t node) const {
  auto planned = planned_;
  planned.branch = node;
  return planned;
}

TaskRequest Gang::request(std::size_t node) const {
  auto request = control_;
  const auto number = static_cast<std::int64_t>(node);
  request.task = node_task_id(control_.task, number);
  request.split_index = number;
  request.num_parallel = static_cast<std::int64_t>(size());
  request.created_ms += number;
  return request;
}

void Gang::started(std::size_t node, AttemptHandle attempt) {
  if (nodes_[node].attempt == 0) ++running_;
  nodes_[node].attempt = attempt;
}

void Gang::succeeded(std::size_t node, TaskOutcome outcome) {
  ended(node);
  nodes_[node].outcome = std::move(outcome);
}

void Gang::failed(std::size_t node, FailedAttempt failed) {
  ended(node);
  const bool is_retryable = failed.may_retry && (!failure_ || failure_->may_retry);
  if (!failure_ || (failure_->lacks_room && !failed.lacks_room && !failed.was_killed)) failure_ = std::move(failed);
  failure_->may_retry = is_retryable;
}

void Gang::ended(std::size_t node) {
  if (nodes_[node].attempt == 0) return;
  nodes_[node].attempt = 0;
  --running_;
}

std::vector<AttemptHandle> Gang::running() const {
  std::vector<AttemptHandle> attempts;
  for (const auto& node : nodes_)
    if (node.attempt != 0) attempts.push_back(node.attempt);
  return attempts;
}

std::optional<AttemptHandle> Gang::last_one() const {
  if (failure_ || running_ != 1 || nodes_[0].attempt == 0) return std::nullopt;
  return nodes_[0].attempt;
}

}  // namespace metaflow::runtime
