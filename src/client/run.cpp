#include <algorithm>

#include <fmt/format.h>
#include <metaflow/client.hpp>

#include "client/state.hpp"

namespace metaflow::client {

std::string_view status_name(Status status) {
  switch (status) {
    case Status::done:
      return "done";
    case Status::caught:
      return "caught";
    case Status::failed:
      return "failed";
    case Status::unfinished:
      break;
  }
  return "unfinished";
}

Run::Run(std::string_view pathspec, const Options& options) {
  auto parts = detail::parse_pathspec(pathspec, {"Flow", "run"});
  const auto session = std::make_shared<const detail::Session>(options);
  session->find_run(parts[0], parts[1]);
  state_ = std::make_shared<const detail::RunState>(session, std::move(parts[0]), std::move(parts[1]));
}

const std::string& Run::id() const { return state_->run; }
std::string Run::pathspec() const { return state_->pathspec(); }
Flow Run::parent() const { return Flow(state_->session, state_->flow); }

bool Run::finished() const {
  const auto last = end_task();
  return last && last->finished();
}

bool Run::successful() const {
  const auto last = end_task();
  return last && last->successful();
}

Status Run::status() const {
  if (const auto last = end_task(); last && last->finished()) return last->status();
  for (const auto& step : steps())
    for (const auto& task : step.tasks())
      if (task.status() == Status::failed) return Status::failed;
  return Status::unfinished;
}

Time Run::created_at() const { return detail::to_time(state_->record().created_ms); }
std::string Run::user() const { return state_->record().user; }

std::optional<Time> Run::finished_at() const {
  const auto last = end_task();
  return last ? last->finished_at() : std::nullopt;
}

std::optional<std::string> Run::origin_pathspec() const {
  for (const auto& [step, created_ms] : state_->metadata().steps(state_->flow, state_->run)) {
    if (step.front() == '_') continue;
    const auto tasks = state_->tasks(step);
    if (tasks.empty()) continue;
    const auto origin = tasks.front()->newest_own_value("origin-run-id");
    return origin ? std::optional(state_->flow + '/' + *origin) : std::nullopt;
  }
  return std::nullopt;
}

std::vector<Step> Run::steps() const {
  std::vector<Step> steps;
  for (auto& [name, created] : state_->metadata().steps(state_->flow, state_->run))
    if (name.front() != '_') steps.push_back(Step(state_, std::move(name)));
  return steps;
}

Step Run::step(std::string_view name) const {
  Step step(state_, std::string(name));
  step.created_at();
  return step;
}

std::string Run::end_step() const { return state_->end_step(); }

std::optional<Task> Run::end_task() const {
  auto tasks = Step(state_, state_->end_step()).tasks();
  if (tasks.empty()) return std::nullopt;
  return std::move(tasks.front());
}

std::set<std::string> Run::user_tags() const { return state_->record().tags; }
std::set<std::string> Run::system_tags() const { return state_->record().system_tags; }

std::set<std::string> Run::tags() const {
  auto record = state_->record();
  record.tags.merge(record.system_tags);
  return std::move(record.tags);
}

void Run::replace_tags(const std::set<std::string>& removed, const std::set<std::string>& added) const {
  try {
    state_->metadata().change_tags(state_->flow, state_->run, added, removed);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::usage) throw;
    throw Error(ErrorCode::invalid, error.what(), "Tagging error");
  }
}

Flow::Flow(std::string name, const Options& options)
    : session_(std::make_shared<detail::Session>(options)), name_(std::move(name)) {
  detail::parse_pathspec(name_, {"Flow"});
  const auto records = session_->metadata().runs(name_);
  if (records.empty())
    throw detail::not_found(fmt::format("There is no run of a flow '{}' below {}.", name_, session_->root()));
  if (std::none_of(records.begin(), records.end(), [&](const auto& record) { return session_->shows(record); }))
    throw Error(
        ErrorCode::denied,
        fmt::format("Flow '{}' has no run in the namespace '{}'. Ask with Options{{.name_space = std::nullopt}} "
                    "to see all runs.",
                    name_, options.name_space.value_or("")),
        "Object not in the current namespace");
}

Flow::Flow(std::shared_ptr<const detail::Session> session, std::string name)
    : session_(std::move(session)), name_(std::move(name)) {}

std::vector<Run> Flow::runs(const std::set<std::string>& tags) const {
  std::vector<Run> runs;
  for (auto& record : session_->metadata().runs(name_)) {
    const auto has = [&](const auto& tag) { return record.tags.contains(tag) || record.system_tags.contains(tag); };
    if (session_->shows(record) && std::all_of(tags.begin(), tags.end(), has))
      runs.push_back(Run(std::make_shared<const detail::RunState>(session_, name_, std::move(record.run))));
  }
  return runs;
}

Run Flow::run(std::string_view id) const {
  session_->find_run(name_, std::string(id));
  return Run(std::make_shared<const detail::RunState>(session_, name_, std::string(id)));
}

std::optional<Run> Flow::latest_run() const {
  auto all = runs();
  if (all.empty()) return std::nullopt;
  return std::move(all.front());
}

std::optional<Run> Flow::latest_successful_run() const {
  for (auto& run : runs())
    if (run.successful()) return std::move(run);
  return std::nullopt;
}

std::vector<std::string> flows(const Options& options) {
  const detail::Session session(options);
  auto names = session.metadata().flows();
  std::erase_if(names, [&](const auto& name) {
    const auto records = session.metadata().runs(name);
    return std::none_of(records.begin(), records.end(), [&](const auto& record) { return session.shows(record); });
  });
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace metaflow::client
