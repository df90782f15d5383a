#include <algorithm>

#include <fmt/format.h>
#include <metaflow/client.hpp>

#include "client/session.hpp"

namespace metaflow::client {

Run::Run(std::string_view pathspec, const Options& options) : session_(std::make_shared<detail::Session>(options)) {
  auto parts = detail::parse_pathspec(pathspec, {"Flow", "run"});
  flow_ = std::move(parts[0]);
  run_ = std::move(parts[1]);
  session_->find_run(flow_, run_);
}

Run::Run(std::shared_ptr<const detail::Session> session, std::string flow, std::string run)
    : session_(std::move(session)), flow_(std::move(flow)), run_(std::move(run)) {}

bool Run::finished() const {
  const auto last = end_task();
  return last && last->finished();
}

bool Run::successful() const {
  const auto last = end_task();
  return last && last->successful();
}

Time Run::created_at() const { return detail::to_time(session_->find_run(flow_, run_).created_ms); }

std::optional<Time> Run::finished_at() const {
  const auto last = end_task();
  return last ? last->finished_at() : std::nullopt;
}

std::vector<Step> Run::steps() const {
  std::vector<Step> steps;
  for (auto& [name, created] : session_->metadata().steps(flow_, run_))
    if (name.front() != '_') steps.push_back(Step(session_, flow_, run_, std::move(name)));
  return steps;
}

Step Run::step(std::string_view name) const {
  Step step(session_, flow_, run_, std::string(name));
  step.created_at();
  return step;
}

std::optional<Task> Run::end_task() const {
  auto tasks = Step(session_, flow_, run_, detail::end_step(session_->metadata(), flow_, run_)).tasks();
  if (tasks.empty()) return std::nullopt;
  return std::move(tasks.front());
}

std::set<std::string> Run::user_tags() const { return session_->find_run(flow_, run_).tags; }
std::set<std::string> Run::system_tags() const { return session_->find_run(flow_, run_).system_tags; }

std::set<std::string> Run::tags() const {
  auto record = session_->find_run(flow_, run_);
  record.tags.merge(record.system_tags);
  return std::move(record.tags);
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

std::vector<Run> Flow::runs(const std::set<std::string>& tags) const {
  std::vector<Run> runs;
  for (auto& record : session_->metadata().runs(name_)) {
    const auto has = [&](const auto& tag) { return record.tags.contains(tag) || record.system_tags.contains(tag); };
    if (session_->shows(record) && std::all_of(tags.begin(), tags.end(), has))
      runs.push_back(Run(session_, name_, std::move(record.run)));
  }
  return runs;
}

Run Flow::run(std::string_view id) const {
  session_->find_run(name_, std::string(id));
  return Run(session_, name_, std::string(id));
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
