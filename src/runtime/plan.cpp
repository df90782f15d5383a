#include "runtime/plan.hpp"

#include <metaflow/error.hpp>

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace metaflow::runtime {

using model::Transition;

std::vector<std::int64_t> foreach_indices(const PlannedTask& task) {
  std::vector<std::int64_t> indices;
  auto branch = task.branch;
  for (const auto* around = task.branching.get(); around != nullptr; around = around->outer.get()) {
    if (!around->values.empty()) indices.push_back(static_cast<std::int64_t>(branch));
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

void Plan::put_back(PlannedTask task) {
  const auto end_branch = task.branch + 1;
  ready_.push_front({std::move(task), end_branch});
  ++ready_count_;
}

void Plan::enqueue(PlannedTask task, std::size_t end_branch) {
  ready_count_ += end_branch - task.branch;
  ready_.push_back({std::move(task), end_branch});
}

void Plan::finish(const PlannedTask& task, std::uint64_t id, const TaskOutcome& outcome) {
  const auto& step = graph_.step(task.step);
  check(task.step, outcome);
  const FinishedTask done{static_cast<std::uint32_t>(task.step), id};
  if (step.transition != Transition::split && step.transition != Transition::foreach) {
    for (const auto& next : outcome.next) continue_with(graph_.at(next), task, done);
    return;
  }
  const bool is_foreach = step.transition == Transition::foreach;
  auto branching = std::make_shared<Branching>();
  branching->outer = task.branching;
  branching->outer_branch = task.branch;
  branching->values = outcome.foreach_values;
  branching->unfinished = is_foreach ? outcome.foreach_values.size() : outcome.next.size();
  branching->ends.resize(branching->unfinished);
  if (is_foreach) {
    enqueue({graph_.at(outcome.next.front()), branching, 0, {done}, true}, branching->unfinished);
  } else {
    for (std::size_t i = 0; i < outcome.next.size(); ++i)
      enqueue({graph_.at(outcome.next[i]), branching, i, {done}, false}, i + 1);
  }
}

void Plan::replay(const std::function<std::optional<KnownEnd>(const PlannedTask&)>& find) {
  std::deque<Entry> left;
  std::size_t left_count = 0;
  while (ready_count_ > 0) {
    auto task = take();
    if (const auto end = find(task)) {
      finish(task, end->id, *end->outcome);
    } else {
      keep(left, std::move(task));
      ++left_count;
    }
  }
  ready_ = std::move(left);
  ready_count_ = left_count;
}

/// Neighbouring children of a foreach stay one entry.
void Plan::keep(std::deque<Entry>& entries, PlannedTask task) {
  const auto end_branch = task.branch + 1;
  if (!entries.empty() && task.enters_foreach) {
    auto& last = entries.back();
    if (last.task.enters_foreach && last.task.branching == task.branching && last.end_branch == task.branch) {
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
  return known && (step.transition == Transition::foreach) == !outcome.foreach_values.empty();
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
  enqueue({next, before.branching, before.branch, {done}, false, iteration}, before.branch + 1);
}

void Plan::close_branch(std::size_t join, const PlannedTask& before, FinishedTask done) {
  const auto& branching = before.branching;
  if (!branching) throw Error(ErrorCode::internal, "Step " + graph_.step(join).name + " joins, but no split is open.");
  branching->ends[before.branch] = done;
  if (--branching->unfinished > 0) return;
  const auto outer_branch = branching->outer_branch;
  enqueue({join, branching->outer, outer_branch, std::move(branching->ends), false}, outer_branch + 1);
}

}  // namespace metaflow::runtime
