#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/graph.hpp"
#include "runtime/launcher.hpp"

namespace metaflow::runtime {

/// A finished task, in few bytes: a wide foreach keeps one for each of its branches.
struct FinishedTask {
  std::uint32_t step = 0;  ///< index in Flow::steps, or Plan::parameters_step
  std::uint64_t task = 0;
};

/// One execution of a split: its branches, and what their last tasks were, until the join has them all.
struct Branching {
  std::shared_ptr<Branching> outer;  ///< the one around it, nothing for the outermost
  std::size_t outer_branch = 0;
  std::vector<std::string> values;  ///< foreach only: display text of each item
  std::vector<FinishedTask> ends;   ///< by branch, in the order of declaration or of items
  std::size_t unfinished = 0;
};

/// A task that may be launched.
struct PlannedTask {
  std::size_t step = 0;
  std::shared_ptr<Branching> branching;  ///< the innermost open split around it
  std::size_t branch = 0;
  std::vector<FinishedTask> inputs;
  bool enters_foreach = false;  ///< it is a child of a foreach split: `branch` is its index there
};

/// What comes after what: holds the tasks that are ready, in order, and turns finished tasks into ready ones. Knows
/// nothing of processes, attempts or time. Memory is linear in open branches; the children of a foreach are one entry.
class Plan {
 public:
  /// Stands for the pseudo-step `_parameters` in FinishedTask::step.
  static constexpr std::uint32_t parameters_step = ~std::uint32_t{0};

  /// `graph` outlives it. Its first step is ready at once.
  explicit Plan(const model::Graph& graph);

  std::size_t ready_count() const noexcept { return ready_count_; }
  /// The next task, first come first served. There must be one.
  PlannedTask take();
  /// Puts a taken task back, in front.
  void put_back(PlannedTask task);
  /// `task` ended well under this id. Throws Error(internal) when its transition is not one of the step's.
  void finish(const PlannedTask& task, std::uint64_t id, const TaskOutcome& outcome);

 private:
  struct Entry {
    PlannedTask task;
    std::size_t end_branch;  ///< tasks of branches task.branch .. end_branch - 1
  };
  void check(const model::Step& step, const TaskOutcome& outcome) const;
  void enqueue(PlannedTask task, std::size_t end_branch);
  void continue_with(std::size_t next, const PlannedTask& before, FinishedTask done);
  void close_branch(std::size_t join, const PlannedTask& before, FinishedTask done);

  const model::Graph& graph_;
  std::deque<Entry> ready_;
  std::size_t ready_count_ = 0;
};

}  // namespace metaflow::runtime
