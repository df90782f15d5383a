#include <algorithm>

#include <fmt/format.h>
#include <metaflow/client.hpp>

#include "client/navigation.hpp"
#include "client/state.hpp"

namespace metaflow::client {
namespace {

/// Steps of the graph that have started.
std::vector<std::string> started(const detail::RunState& run, std::vector<std::string> names) {
  const auto records = run.metadata().steps(run.flow, run.run);
  std::erase_if(names, [&](const auto& name) {
    return std::none_of(records.begin(), records.end(), [&](const auto& record) { return record.first == name; });
  });
  return names;
}

}  // namespace

Step::Step(std::string_view pathspec, const Options& options) {
  auto parts = detail::parse_pathspec(pathspec, {"Flow", "run", "step"});
  const auto session = std::make_shared<const detail::Session>(options);
  session->find_run(parts[0], parts[1]);
  run_ = std::make_shared<const detail::RunState>(session, std::move(parts[0]), std::move(parts[1]));
  step_ = std::move(parts[2]);
  created_at();
}

Step::Step(std::shared_ptr<const detail::RunState> run, std::string step)
    : run_(std::move(run)), step_(std::move(step)) {}

std::string Step::pathspec() const { return run_->pathspec() + '/' + step_; }
Run Step::parent() const { return Run(run_); }

Time Step::created_at() const {
  for (const auto& [name, created_ms] : run_->metadata().steps(run_->flow, run_->run))
    if (name == step_) return detail::to_time(created_ms);
  throw detail::not_found(fmt::format("There is no step '{}' below {}.", pathspec(), run_->session->root()));
}

std::optional<Time> Step::finished_at() const {
  std::optional<Time> last;
  for (const auto& task : tasks()) {
    const auto finished = task.finished_at();
    if (!finished) return std::nullopt;
    last = std::max(last, finished);
  }
  return last;
}

std::vector<Task> Step::tasks() const {
  std::vector<Task> tasks;
  for (auto& state : run_->tasks(step_)) tasks.push_back(Task(std::move(state)));
  return tasks;
}

Task Step::task(std::string_view id) const { return Task(detail::open_task(run_, step_, std::string(id))); }

Task Step::task() const {
  auto all = tasks();
  if (all.empty()) throw detail::not_found(fmt::format("Step '{}' has no task.", pathspec()));
  return std::move(all.front());
}

std::vector<Task> Step::control_tasks() const {
  std::vector<Task> tasks;
  for (auto& state : run_->tasks(step_))
    if (state->newest_value("internal_task_type") == "control_task") tasks.push_back(Task(std::move(state)));
  return tasks;
}

std::optional<Task> Step::control_task() const {
  auto tasks = control_tasks();
  return tasks.empty() ? std::nullopt : std::optional(std::move(tasks.front()));
}

std::vector<Step> Step::parent_steps() const {
  std::vector<Step> steps;
  for (auto& name : started(*run_, detail::related_steps(*run_, step_, detail::Direction::parents)))
    steps.push_back(Step(run_, std::move(name)));
  return steps;
}

std::vector<Step> Step::child_steps() const {
  std::vector<Step> steps;
  for (auto& name : started(*run_, detail::related_steps(*run_, step_, detail::Direction::children)))
    steps.push_back(Step(run_, std::move(name)));
  return steps;
}

std::optional<std::string> Step::origin_pathspec() const {
  auto of_task = task().origin_pathspec();
  if (of_task) of_task->erase(of_task->rfind('/'));
  return of_task;
}

std::set<std::string> Step::user_tags() const { return Run(run_).user_tags(); }
std::set<std::string> Step::system_tags() const { return Run(run_).system_tags(); }
std::set<std::string> Step::tags() const { return Run(run_).tags(); }

}  // namespace metaflow::client
