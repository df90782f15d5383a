#include "runtime/plan.hpp"

#include <metaflow/error.hpp>

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace metaflow::runtime {

using model::Transition;

std::vector<PlannedTask> nodes_of(const PlannedTask& task) {
  std::vector<PlannedTask> nodes(task.enters == Enters::gang ? task.branching->ends.size() : 1, task);
  for (std::size_t i = 1; i < nodes.size(); ++i) nodes[i].branch = i;
  return nodes;
}

std::vector<std::int64_t> foreach_indices(const PlannedTask& task) {
  std::vector<std::int64_t> indices;
  auto branch = task.branch;
  for (const auto* around = task.branching.get(); around != nullptr; around = around->outer.get()) {
    if (around->is_numbered) indices.push_back(static_cast<std::int64_t>(branch));
    branch = around->outer_branch;
  }
  std::reverse(indices.begin(), indices.end());
  return indices;
}

Plan::Plan(const model::Graph& graph) : graph_(graph) {
  PlannedTask first;
  first.step = graph.start();
  first.inputs = {{parameters_step, 0}};
  enqueue(std::move(first), 1);
}

PlannedTask Plan::take() {
  auto& entry = ready_.front();
  --ready_count_;
  if (entry.task.branch + 1 < entry.end_branch) {
    auto task = entry.task;
    ++entry.task.branch;
    return task;
  }
  auto task = std::move(entry.task);
  ready_.pop_front();
  return task;
}

void Plan::enqueue(PlannedTask task, std::size_t end_branch) {
  ready_count_ += end_branch - task.branch;
  ready_.push_back({std::move(task), end_branch});
}

void Plan::finish(const PlannedTask& task, std::uint64_t id, const TaskOutcome& outcome) {
  const auto transition = graph_.step(task.step).transition;
  check(task.step, outcome);
  const auto node = task.enters == Enters::gang ? static_cast<std::uint32_t>(task.branch) : 0;
  const FinishedTask done{static_cast<std::uint32_t>(task.step), node, id};
  if (!graph_.is_split(task.step)) {
    for (const auto& next : outcome.next) continue_with(graph_.at(next), task, done);
    return;
  }
  auto branching = std::make_shared<Branching>();
  branching->outer = task.branching;
  branching->outer_branch = task.branch;
  branching->is_numbered = transition != Transition::split;
  branching->values = outcome.foreach_values;
  branching->unfinished = transition == Transition::foreach    ? outcome.foreach_values.size()
                          : transition == Transition::parallel ? static_cast<std::size_t>(outcome.num_parallel)
                                                               : outcome.next.size();
  branching->ends.resize(branching->unfinished);
  const auto first = graph_.at(outcome.next.front());
  if (transition == Transition::foreach) {
    enqueue({first, branching, 0, {done}, Enters::foreach}, branching->unfinished);
  } else if (transition == Transition::parallel) {
    enqueue({first, branching, 0, {done}, Enters::gang}, 1);
  } else {
    for (std::size_t i = 0; i < outcome.next.size(); ++i)
      enqueue({graph_.at(outcome.next[i]), branching, i, {done}}, i + 1);
  }
}

void Plan::replay(const std::function<std::vector<KnownEnd>(const PlannedTask&)>& find) {
  std::deque<Entry> left;
  std::size_t left_count = 0;
  while (ready_count_ > 0) {
    auto task = take();
    const auto ends = find(task);
    if (ends.empty()) {
      keep(left, std::move(task));
      ++left_count;
      continue;
    }
    const auto nodes = nodes_of(task);
    for (std::size_t i = 0; i < nodes.size(); ++i) finish(nodes[i], ends.at(i).id, *ends[i].outcome);
  }
  ready_ = std::move(left);
  ready_count_ = left_count;
}

/// Neighbouring children of a foreach stay one entry.
void Plan::keep(std::deque<Entry>& entries, PlannedTask task) {
  const auto end_branch = task.branch + 1;
  if (!entries.empty() && task.enters == Enters::foreach) {
    auto& last = entries.back();
    if (last.task.enters == Enters::foreach && last.task.branching == task.branching &&
        last.end_branch == task.branch) {
      last.end_branch = end_branch;
      return;
    }
  }
  entries.push_back({std::move(task), end_branch});
}

bool Plan::accepts(std::size_t index, const TaskOutcome& outcome) const {
  const auto& step = graph_.step(index);
  const bool is_switch = step.transition == Transition::switch_on;
  const bool known = is_switch ? outcome.next.size() == 1 && std::find(step.next.begin(), step.next.end(),
                                                                       outcome.next.front()) != step.next.end()
                               : outcome.next == step.next;
  return known && (step.transition == Transition::foreach) == !outcome.foreach_values.empty() &&
         (step.transition == Transition::parallel) == (outcome.num_parallel > 0);
}

/// The transition asked for must be the one that the checker saw, or the graph's guarantees are gone.
void Plan::check(std::size_t index, const TaskOutcome& outcome) const {
  if (accepts(index, outcome)) return;
  const auto& step = graph_.step(index);
  throw Error(ErrorCode::internal,
              fmt::format("Step {} went on to [{}] when it ran, but its declared transition leads to [{}].", step.name,
                          fmt::join(outcome.next, ", "), fmt::join(step.next, ", ")));
}

void Plan::continue_with(std::size_t next, const PlannedTask& before, FinishedTask done) {
  if (graph_.is_join(next)) return close_branch(next, before, done);
  const auto iteration = next == before.step ? before.iteration + 1 : 0;
  enqueue({next, before.branching, before.branch, {done}, Enters::nothing, iteration}, before.branch + 1);
}

void Plan::close_branch(std::size_t join, const PlannedTask& before, FinishedTask done) {
  const auto& branching = before.branching;
  if (!branching) throw Error(ErrorCode::internal, "Step " + graph_.step(join).name + " joins, but no split is open.");
  branching->ends[before.branch] = done;
  if (--branching->unfinished > 0) return;
  const auto outer_branch = branching->outer_branch;
  enqueue({join, branching->outer, outer_branch, std::move(branching->ends)}, outer_branch + 1);
}

}  // namespace metaflow::runtime
