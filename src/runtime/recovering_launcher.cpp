#include "runtime/recovering_launcher.hpp"

#include <algorithm>

#include <metaflow/error.hpp>

#include "runtime/internal_artifacts.hpp"
#include "runtime/origin_run.hpp"

namespace metaflow::runtime {
namespace {

/// What a task writes between the marker in the datastore and its report.
void complete_records(const metadata::RunRecord& run, const datastore::TaskPath& task, int attempt,
                      const datastore::ArtifactTable& artifacts, Stores stores) {
  const auto done = stores.metadata.done_attempts(run.flow, task.run, task.step, task.task);
  if (std::ranges::find(done, attempt) != done.end()) return;
  stores.metadata.add_artifacts(run, task.step, task.task, attempt, recorded_artifacts(artifacts),
                                std::string(stores.objects.type()), stores.objects.root());
  metadata::Datum datum;
  datum.field = "attempt-done";
  datum.value = std::to_string(attempt);
  datum.attempt = attempt;
  stores.metadata.add_data(run, task.step, task.task, {std::move(datum)});
}

}  // namespace

void RecoveringLauncher::launch(AttemptHandle attempt, const TaskRequest& request) {
  launcher_.launch(attempt, request);
  launched_.emplace(attempt, Launched{{request.run, request.step, request.task}, request.attempt});
}

std::vector<LauncherEvent> RecoveringLauncher::take_events() {
  std::vector<LauncherEvent> events;
  for (auto& event : launcher_.take_events()) {
    if (auto* finished = std::get_if<Finished>(&event)) recover(*finished, events);
    if (const auto* refused = std::get_if<Refused>(&event)) launched_.erase(refused->attempt);
    events.push_back(std::move(event));
  }
  return events;
}

void RecoveringLauncher::recover(Finished& event, std::vector<LauncherEvent>& events) {
  const auto launched = launched_.extract(event.attempt);
  if (event.outcome || launched.empty()) return;
  event.outcome = stored_outcome(launched.mapped());
  if (!event.outcome) return;
  events.emplace_back(Output{event.attempt, OutputStream::err,
                             "The process of this task ended before it could report, but all it had to store is "
                             "there: the task counts as done.\n"});
}

/// Nothing as well when what is stored cannot be read: such an attempt is not done.
std::optional<TaskOutcome> RecoveringLauncher::stored_outcome(const Launched& launched) {
  try {
    auto task = read_attempt(model::Graph(flow_), launched.task, launched.attempt, stores_);
    if (!task) return std::nullopt;
    complete_records(run_, launched.task, launched.attempt, task->artifacts, stores_);
    return std::move(task->outcome);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace metaflow::runtime
