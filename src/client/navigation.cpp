#include "client/navigation.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include <metaflow/pickle.hpp>
#include <metaflow/value.hpp>

namespace metaflow::client::detail {
namespace {

using Tasks = std::vector<std::shared_ptr<const TaskState>>;

bool leads_to(const GraphStep& step, const std::string& name) {
  return std::find(step.next.begin(), step.next.end(), name) != step.next.end();
}

/// A switch that may choose itself: each turn is a task of its own.
bool is_recursive(const GraphStep& step) { return step.is_switch && leads_to(step, step.name); }

const GraphStep& find_step(const Graph& graph, const std::string& name) {
  const auto found = std::find_if(graph.begin(), graph.end(), [&](const auto& step) { return step.name == name; });
  if (found == graph.end()) throw not_found("The graph of the run has no step '" + name + "'.");
  return *found;
}

/// An artifact that need not have a pointer; nothing while the task is not done.
std::optional<Value> stored_value(const TaskState& task, std::string_view name) {
  const auto table = task.table();
  if (!table) return std::nullopt;
  const auto found = table->find(name);
  if (found == table->end()) return std::nullopt;
  const auto root = root_of(task.pointer("_task_ok").value());
  return pickle::decode(task.run->session->data(root, task.run->flow).blobs.get(found->second.key));
}

/// Whether a switch chose `name`. `_transition` is ([steps], foreach variable), or None.
bool chose(const TaskState& task, const std::string& name) {
  const auto transition = stored_value(task, "_transition");
  if (!transition || transition->is_none()) return false;
  const auto steps = (*transition)[0].items();
  return std::any_of(steps.begin(), steps.end(), [&](const Value& step) { return step.as_text() == name; });
}

/// Turns of a recursive step at one place, in order; one that is still running comes last.
Tasks turns(const RunState& run, const std::string& step, const Place& place) {
  std::vector<std::pair<std::int64_t, std::shared_ptr<const TaskState>>> numbered;
  const auto all = run.tasks_by_place(step);
  const auto [begin, end] = all->equal_range(place);
  for (auto entry = begin; entry != end; ++entry) {
    auto task = run.task(step, *entry);
    const auto stack = stored_value(*task, "_iteration_stack");
    const bool is_known = stack && stack->size() > 0;
    numbered.emplace_back(is_known ? stack->items().back().as_integer() : std::numeric_limits<std::int64_t>::max(),
                          std::move(task));
  }
  std::stable_sort(numbered.begin(), numbered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  Tasks ordered;
  for (auto& [turn, task] : numbered) ordered.push_back(std::move(task));
  return ordered;
}

/// Tasks of a step that stand at `place`, or one foreach further in or out: all tasks of a step are at one depth.
Tasks tasks_near(const RunState& run, const std::string& step, const Place& place) {
  const auto all = run.tasks_by_place(step);
  Tasks found;
  if (all->empty()) return found;
  const auto depth = all->begin()->first.size();
  if (depth > place.size()) {
    const auto is_inside = [&](const Place& other) { return std::equal(place.begin(), place.end(), other.begin()); };
    for (auto entry = all->lower_bound(place); entry != all->end() && is_inside(entry->first); ++entry)
      found.push_back(run.task(step, *entry));
    return found;
  }
  const Place outer(place.begin(), place.begin() + static_cast<std::ptrdiff_t>(depth));
  const auto [begin, end] = all->equal_range(outer);
  for (auto entry = begin; entry != end; ++entry) found.push_back(run.task(step, *entry));
  return found;
}

void append(Tasks& to, Tasks more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

/// The turn `offset` turns after that of `task`, nothing when there is none.
Tasks other_turn(const TaskState& task, const Tasks& all, std::ptrdiff_t offset) {
  const auto own = std::find_if(all.begin(), all.end(), [&](const auto& turn) { return turn->task == task.task; });
  const auto place = own - all.begin() + offset;
  if (own == all.end() || place < 0 || place >= std::ssize(all)) return {};
  return {all[static_cast<std::size_t>(place)]};
}

/// Of a recursive step that a task at `place` led to: the first turn at each place.
Tasks first_turns(const RunState& run, const std::string& step, const Place& place) {
  Tasks first;
  std::set<Place> seen;
  for (const auto& task : tasks_near(run, step, place)) {
    const auto there = task->place();
    if (seen.insert(there).second) first.push_back(turns(run, step, there).front());
  }
  return first;
}

Tasks parents_of(const TaskState& task, const Graph& graph) {
  const auto& run = *task.run;
  const auto place = task.place();
  if (is_recursive(find_step(graph, task.step)))
    if (auto before = other_turn(task, turns(run, task.step, place), -1); !before.empty()) return before;
  Tasks parents;
  for (const auto& step : graph) {
    if (step.name == task.step || !leads_to(step, task.step)) continue;
    auto near = tasks_near(run, step.name, place);
    if (step.is_switch) std::erase_if(near, [&](const auto& parent) { return !chose(*parent, task.step); });
    append(parents, std::move(near));
  }
  return parents;
}

Tasks children_of(const TaskState& task, const Graph& graph) {
  const auto& run = *task.run;
  const auto place = task.place();
  const auto& own = find_step(graph, task.step);
  Tasks children;
  for (const auto& next : own.next) {
    if (own.is_switch && !chose(task, next)) continue;
    if (next == own.name) {
      append(children, other_turn(task, turns(run, next, place), 1));
    } else if (is_recursive(find_step(graph, next))) {
      append(children, first_turns(run, next, place));
    } else {
      append(children, tasks_near(run, next, place));
    }
  }
  return children;
}

}  // namespace

std::vector<std::string> related_steps(const RunState& run, const std::string& step, Direction direction) {
  const auto graph = run.graph();
  std::vector<std::string> names;
  if (step.starts_with('_')) return names;
  const auto& own = find_step(*graph, step);
  for (const auto& other : *graph) {
    const bool is_related = direction == Direction::parents ? leads_to(other, step) : leads_to(own, other.name);
    if (is_related && other.name != step) names.push_back(other.name);
  }
  return names;
}

std::vector<std::shared_ptr<const TaskState>> related_tasks(const TaskState& task, Direction direction) {
  const auto graph = task.run->graph();
  if (task.step.starts_with('_')) return {};
  return direction == Direction::parents ? parents_of(task, *graph) : children_of(task, *graph);
}

}  // namespace metaflow::client::detail
