#include "cli/records.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/clock.hpp"
#include "base/configuration.hpp"
#include "cli/console.hpp"
#include "cli/invocation.hpp"
#include "cli/suggestion.hpp"

namespace metaflow::cli {
namespace {

Error not_found(const std::string& message) { return {ErrorCode::not_found, message, "Object not found"}; }

/// When a run that did not finish came to its end: when its failed task did.
std::optional<client::Time> end_of_failed(const client::Run& run) {
  std::optional<client::Time> last;
  for (const auto& step : run.steps())
    for (const auto& task : step.tasks())
      if (task.status() == client::Status::failed) last = std::max(last, task.ended_at());
  return last;
}

JsonValue moment(client::Time time) { return utc_timestamp(time.time_since_epoch().count() * 1000); }

/// `started`, `ended` and `seconds`, the last two null while it has not ended.
void add_times(JsonValue& object, client::Time started, std::optional<client::Time> ended) {
  object["started"] = moment(started);
  object["ended"] = ended ? moment(*ended) : JsonValue();
  object["seconds"] = ended ? JsonValue(static_cast<double>((*ended - started).count()) / 1000) : JsonValue();
}

}  // namespace

std::vector<std::string> parse_record_path(std::string_view text, std::size_t most) {
  if (text.ends_with('/')) text.remove_suffix(1);
  auto parts = split_path(text);
  if (!parts.empty() && parts.size() <= most) return parts;
  constexpr std::array forms{"Flow", "Flow/run", "Flow/run/step", "Flow/run/step/task", "Flow/run/step/task/artifact"};
  throw Error(ErrorCode::usage, fmt::format("'{}' is none of {}.", text,
                                            fmt::join(forms.begin(), forms.begin() + static_cast<int>(most), ", ")));
}

void require_records() {
  if (!find_local_root().exists)
    throw Error(ErrorCode::not_found,
                "There is no '.metaflow' in this folder or above it: nothing has run here yet, or it was elsewhere.",
                "No flows");
}

client::Flow find_flow(const std::string& name, const client::Options& options) {
  try {
    return client::Flow(name, options);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
  }
  throw not_found(fmt::format("There is no run of a flow '{}' here.{} 'metaflow ls' lists the flows.", name,
                              did_you_mean(name, client::flows(options))));
}

client::Run find_run(const client::Flow& flow, const std::string& id) {
  try {
    return flow.run(id);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
  }
  std::vector<std::string> known;
  for (const auto& run : flow.runs()) known.push_back(run.id());
  throw not_found(fmt::format("There is no run '{0}/{1}'.{2} 'metaflow ls {0}' lists the runs of this flow.", flow.id(),
                              id, did_you_mean(id, known)));
}

client::Step find_step(const client::Run& run, const std::string& name) {
  try {
    return run.step(name);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
  }
  std::vector<std::string> known;
  for (const auto& step : run.steps()) known.push_back(step.id());
  throw not_found(fmt::format("Run {0} has no step '{1}', or it has not started.{2} 'metaflow ls {0}' lists its steps.",
                              run.pathspec(), name, did_you_mean(name, known)));
}

client::Task find_task(const client::Step& step, const std::string& id) {
  try {
    return step.task(id);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
  }
  throw not_found(fmt::format("Step {0} has no task '{1}'. 'metaflow ls {0}' lists its tasks.", step.pathspec(), id));
}

std::size_t TaskCounts::total() const { return std::accumulate(by_status.begin(), by_status.end(), std::size_t{0}); }

RunFacts::RunFacts(const client::Run& run)
    : id(run.id()),
      pathspec(run.pathspec()),
      user(run.user()),
      status(run.status()),
      started(run.created_at()),
      ended(status == client::Status::failed ? end_of_failed(run) : run.finished_at()),
      user_tags(run.user_tags()),
      system_tags(run.system_tags()) {}

StepFacts::StepFacts(const client::Step& step) : id(step.id()), pathspec(step.pathspec()), started(step.created_at()) {
  bool all_ended = true;
  for (const auto& task : step.tasks()) {
    ++tasks.by_status[static_cast<std::size_t>(task.status())];
    const auto end = task.ended_at();
    all_ended = all_ended && end;
    ended = std::max(ended, end);
  }
  if (!all_ended) ended.reset();
}

TaskFacts::TaskFacts(const client::Task& task)
    : id(task.id()),
      pathspec(task.pathspec()),
      status(task.status()),
      index(task.index()),
      attempt(task.current_attempt()),
      started(task.created_at()) {
  if (status != client::Status::unfinished) ended = task.ended_at();
}

JsonValue to_json(const RunFacts& run) {
  JsonValue object = {{"run", run.id},    {"pathspec", run.pathspec}, {"status", client::status_name(run.status)},
                      {"user", run.user}, {"tags", run.user_tags},    {"system_tags", run.system_tags}};
  add_times(object, run.started, run.ended);
  return object;
}

JsonValue to_json(const StepFacts& step) {
  JsonValue counts = {{"total", step.tasks.total()}};
  for (const auto status :
       {client::Status::done, client::Status::caught, client::Status::failed, client::Status::unfinished})
    counts[std::string(client::status_name(status))] = step.tasks[status];
  JsonValue object = {{"step", step.id}, {"pathspec", step.pathspec}, {"tasks", counts}};
  add_times(object, step.started, step.ended);
  return object;
}

JsonValue to_json(const TaskFacts& task) {
  JsonValue object = {{"task", task.id},
                      {"pathspec", task.pathspec},
                      {"status", client::status_name(task.status)},
                      {"index", task.index ? JsonValue(*task.index) : JsonValue()},
                      {"attempt", task.attempt}};
  add_times(object, task.started, task.ended);
  return object;
}

void print_json(const JsonValue& document) {
  print(document.dump(2, ' ', true, JsonValue::error_handler_t::replace) + '\n');
}

std::vector<client::Step> steps_in_order(const client::Run& run) {
  auto steps = run.steps();
  std::reverse(steps.begin(), steps.end());
  return steps;
}

std::vector<client::Task> tasks_in_order(const client::Step& step) {
  auto tasks = step.tasks();
  std::reverse(tasks.begin(), tasks.end());
  return tasks;
}

}  // namespace metaflow::cli
