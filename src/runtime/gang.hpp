#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <metaflow/task.hpp>

#include "datastore/task_store.hpp"
#include "model/step_settings.hpp"
#include "runtime/launcher.hpp"
#include "runtime/plan.hpp"

/// A gang: the tasks of a parallel step, nodes 0, 1, …, which run at the same time. Node 0 is the control task: it ends
/// after all others have ended well, so that whoever finds it done finds the whole gang done.
namespace metaflow::runtime {

/// What the frames of its tasks name as the artifact that is looped over; official Metaflow's word.
inline constexpr std::string_view gang_variable = "_parallel_ubf_iter";

/// `2_node_1`; node 0 goes by the id of the control task.
std::string node_task_id(std::string_view control_task, std::int64_t node);
/// `run/step/task` of all nodes, in their order: what a control task leaves as `_control_mapper_tasks`.
std::vector<std::string> node_paths(const datastore::TaskPath& control_task, std::int64_t nodes);

/// Where a node stands; nothing for a task outside of gangs. All nodes run on this machine.
std::optional<Parallel> place_in_gang(const TaskRequest& request);
/// The same, as environment variables.
model::Variables gang_environment(const Parallel& place);

/// How an attempt failed.
struct FailedAttempt {
  std::string task;         ///< id; of a gang, the first node that failed
  std::string why;          ///< in one line
  bool was_killed = false;  ///< it had no cause of its own
  bool may_retry = true;    ///< it did not ask for no further attempt
  bool lacks_room = false;  ///< there were no descriptors or no process for it, beside others that will end
};

/// One attempt of all nodes. It fails with the first that does.
class Gang {
 public:
  /// `control`: what the control task is asked to do; the others are asked the same under their own ids.
  Gang(PlannedTask planned, TaskRequest control);

  std::size_t size() const noexcept { return nodes_.size(); }
  const PlannedTask& planned() const noexcept { return planned_; }
  const TaskRequest& control() const noexcept { return control_; }
  PlannedTask planned(std::size_t node) const;
  TaskRequest request(std::size_t node) const;

  /// Again when another process stores how the first one ended.
  void started(std::size_t node, AttemptHandle attempt);
  void succeeded(std::size_t node, TaskOutcome outcome);
  /// Only the first counts, but for `may_retry`; and a failure of its own more than a lack of room.
  void failed(std::size_t node, FailedAttempt failed);

  /// Nothing while no node has failed.
  const std::optional<FailedAttempt>& failure() const noexcept { return failure_; }
  /// Attempts of the nodes that have neither succeeded nor failed.
  std::vector<AttemptHandle> running() const;
  /// The control task, once it is the only one that has not ended, and all others ended well.
  std::optional<AttemptHandle> last_one() const;
  bool is_over() const noexcept { return running_ == 0; }
  /// How a node ended that succeeded.
  const TaskOutcome& outcome(std::size_t node) const { return nodes_[node].outcome; }

 private:
  struct Node {
    AttemptHandle attempt = 0;  // 0: it does not run
    TaskOutcome outcome = {};
  };
  void ended(std::size_t node);

  PlannedTask planned_;
  TaskRequest control_;
  std::vector<Node> nodes_;
  std::size_t running_ = 0;
  std::optional<FailedAttempt> failure_;
};

}  // namespace metaflow::runtime
