#include "cli/spin_origin.hpp"

#include <algorithm>

#include <metaflow/client.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/invocation.hpp"
#include "cli/records.hpp"
#include "cli/suggestion.hpp"
#include "model/graph.hpp"

namespace metaflow::cli {
namespace {

constexpr const char* headline = "Invalid command";

void require_step(const model::Flow& flow, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& step : flow.steps) names.push_back(step.name);
  if (std::ranges::find(names, name) != names.end()) return;
  throw Error(ErrorCode::not_found,
              fmt::format("{} has no step '{}'.{} Its steps are: {}.", flow.name, name, did_you_mean(name, names),
                          fmt::join(names, ", ")),
              headline);
}

client::Run latest_run(const std::string& flow, const std::string& step, const std::string& root) {
  try {
    const client::Options own{.folder = {}, .root = root};
    if (const auto run = client::Flow(flow, own).latest_run()) return *run;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found && error.code() != ErrorCode::denied) throw;
  }
  throw Error(ErrorCode::not_found,
              fmt::format("No run of {0} of your own is known here. Start one with 'run', or name one: 'spin RUN/{1}'.",
                          flow, step),
              headline);
}

client::Task origin_task(const SpinOrigin& origin, const std::string& flow, const std::string& root) {
  const client::Options all{.folder = {}, .name_space = std::nullopt, .root = root};
  const auto run =
      origin.run.empty() ? latest_run(flow, origin.step, root) : find_run(find_flow(flow, all), origin.run);
  const auto step = find_step(run, origin.step);
  return origin.task.empty() ? step.task() : find_task(step, origin.task);
}

/// How many foreaches are around a task, and its place in the innermost: by what is recorded when a task starts, which
/// one that has failed or died has, too.
struct ForeachPlace {
  std::size_t depth = 0;
  std::optional<std::int64_t> index;
};

ForeachPlace foreach_place(const client::Task& task) {
  const auto data = task.metadata_dict();
  const auto path = data.find("foreach-execution-path");
  if (path == data.end() || path->second.empty()) return {};
  const auto& text = path->second;  // `item:2,leaf:0`
  return {static_cast<std::size_t>(std::ranges::count(text, ',')) + 1, std::stoll(text.substr(text.rfind(':') + 1))};
}

/// In which branch of the split that `join` ends the step `before` stands.
std::size_t branch_of(const model::Graph& graph, model::Graph::Index join, const std::string& before) {
  const auto split = graph.matching_split(join);
  const auto step = graph.find(before);
  if (!split || !step) return 0;
  const auto& splits = graph.split_parents(*step);
  const auto level = static_cast<std::size_t>(std::ranges::find(splits, *split) - splits.begin());
  if (level == splits.size()) return 0;
  const auto& branches = graph.successors(*split);
  return static_cast<std::size_t>(std::ranges::find(branches, graph.split_branches(*step)[level]) - branches.begin());
}

/// A join gets the branches of a split in the order written, those of a foreach in the order of its items. Tasks of one
/// step come in that order already.
void sort_as_branches(std::vector<client::Task>& tasks, const model::Graph& graph, model::Graph::Index join) {
  const auto step_of = [](const client::Task& task) { return task.parent().id(); };
  const auto other_step = [&](const client::Task& task) { return step_of(task) != step_of(tasks.front()); };
  if (std::ranges::none_of(tasks, other_step)) return;
  const auto split = graph.matching_split(join);
  const bool is_foreach = split && graph.step(*split).transition == model::Transition::foreach;
  std::ranges::stable_sort(tasks, {}, [&](const client::Task& task) {
    return is_foreach ? static_cast<std::size_t>(foreach_place(task).index.value_or(0))
                      : branch_of(graph, join, step_of(task));
  });
}

std::vector<client::Task> tasks_before(const client::Task& task, const model::Graph& graph, model::Graph::Index step) {
  auto tasks = task.parent_tasks();
  if (tasks.empty() && step == graph.start()) tasks = {task.parent().parent().step("_parameters").task()};
  if (tasks.empty())
    throw Error(
        ErrorCode::not_found,
        fmt::format("What {} started from is not recorded, so that it cannot be started again.", task.pathspec()),
        headline);
  if (graph.is_join(step)) sort_as_branches(tasks, graph, step);
  return tasks;
}

}  // namespace

SpinOrigin parse_spin_origin(const std::string& text, const model::Flow& flow) {
  auto parts = split_path(text);
  if (parts.size() > 3 && parts.front() != flow.name)
    throw Error(ErrorCode::invalid, fmt::format("'{}' is no task of {}, which this program runs.", text, flow.name),
                headline);
  if (parts.size() > 2 && parts.front() == flow.name) parts.erase(parts.begin());
  if (parts.empty() || parts.size() > 3)
    throw Error(ErrorCode::invalid,
                fmt::format("'{}' is none of step, run/step, run/step/task, {}/run/step/task.", text, flow.name),
                headline);
  if (parts.size() == 1) parts.insert(parts.begin(), "");
  parts.resize(3);
  require_step(flow, parts[1]);
  return {parts[0], parts[1], parts[2]};
}

runtime::SpinInputs find_spin_inputs(const SpinOrigin& origin, const model::Flow& flow, const std::string& root) {
  const model::Graph graph(flow);
  const auto step = graph.at(origin.step);
  const auto task = origin_task(origin, flow.name, root);
  const auto before = tasks_before(task, graph, step);
  runtime::SpinInputs inputs{.origin = task.pathspec(), .inputs = {}};
  for (const auto& each : before) inputs.inputs.push_back(each.pathspec().substr(flow.name.size() + 1));
  const auto place = foreach_place(task);
  if (!graph.is_join(step) && place.depth > foreach_place(before.front()).depth) inputs.split_index = place.index;
  return inputs;
}

}  // namespace metaflow::cli
