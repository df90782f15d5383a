#pragma once

#include <cstdint>
#include <deque>
#include <functional>
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
  std::uint32_t node = 0;  ///< in its gang; 0 outside of gangs, too
  std::uint64_t task = 0;  ///< its id; all nodes of a gang share that of node 0
};

/// One execution of a split: its branches, and what their last tasks were, until the join has them all.
struct Branching {
  std::shared_ptr<Branching> outer;  ///< the one around it, nothing for the outermost
  std::size_t outer_branch = 0;
  bool is_numbered = false;         ///< a foreach or a gang, not a static split
  std::vector<std::string> values;  ///< foreach only: display text of each item
  std::vector<FinishedTask> ends;   ///< by branch, in the order of declaration, of items or of nodes
  std::size_t unfinished = 0;
};

/// What a task begins, beside itself.
enum class Enters : std::uint8_t { nothing, foreach, gang };

/// A task that may be launched. One that enters a gang stands for all its nodes, which have to run at the same time.
struct PlannedTask {
  std::size_t step = 0;
  std::shared_ptr<Branching> branching;  ///< the innermost open split around it
  std::size_t branch = 0;
  std::vector<FinishedTask> inputs;
  /// The split that it is a child of: `branch` is its index there.
  Enters enters = Enters::nothing;
  std::uint32_t iteration = 0;  ///< how often a step that repeats itself has run before
};

/// A task that enters a gang, node by node; any other by itself.
std::vector<PlannedTask> nodes_of(const PlannedTask& task);

/// Position in each foreach or gang around the task, outermost first. With step and iteration it tells a task from all others
/// of its run, whatever their ids.
std::vector<std::int64_t> foreach_indices(const PlannedTask& task);

/// How a task ended that has run already: its id, and its outcome, which outlives the call that asks for it.
struct KnownEnd {
  std::uint64_t id = 0;
  const TaskOutcome* outcome = nullptr;
};

/// What comes after what: holds the tasks that are ready, in order, and turns finished tasks into ready ones. Knows
/// nothing of processes, attempts or time. Memory is linear in open branches; the children of a foreach are one entry,
/// and so are the nodes of a gang.
class Plan {
 public:
  /// Stands for the pseudo-step `_parameters` in FinishedTask::step.
  static constexpr std::uint32_t parameters_step = ~std::uint32_t{0};

  /// `graph` outlives it. Its first step is ready at once.
  explicit Plan(const model::Graph& graph);

  std::size_t ready_count() const noexcept { return ready_count_; }
  /// The next task, first come first served. There must be one.
  PlannedTask take();
  /// `task` ended well under this id; of a gang, one node. Throws Error(internal) when its transition is not one of the step's.
  void finish(const PlannedTask& task, std::uint64_t id, const TaskOutcome& outcome);
  /// Takes each ready task for which `find` knows an end as finished, and what becomes ready thereby, and so on. The
  /// others stay ready, in the order in which they became so. Of a gang, `find` has to know the ends of all nodes, in
  /// their order, or none.
  void replay(const std::function<std::vector<KnownEnd>(const PlannedTask&)>& find);
  /// Whether a task of this step may end so: the transition taken is one that the step declares.
  bool accepts(std::size_t step, const TaskOutcome& outcome) const;

 private:
  struct Entry {
    PlannedTask task;
    std::size_t end_branch;  ///< tasks of branches task.branch .. end_branch - 1
  };
  void check(std::size_t step, const TaskOutcome& outcome) const;
  void enqueue(PlannedTask task, std::size_t end_branch);
  static void keep(std::deque<Entry>& entries, PlannedTask task);
  void continue_with(std::size_t next, const PlannedTask& before, FinishedTask done);
  void close_branch(std::size_t join, const PlannedTask& before, FinishedTask done);

  const model::Graph& graph_;
  std::deque<Entry> ready_;
  std::size_t ready_count_ = 0;
};

}  // namespace metaflow::runtime
