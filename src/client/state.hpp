#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/session.hpp"

/// What handles of one run or task share, and keep once it cannot change any more.
namespace metaflow::client::detail {

/// One step as the graph of a run describes it.
struct GraphStep {
  std::string name;
  bool is_switch = false;
  std::vector<std::string> next;
};
using Graph = std::vector<GraphStep>;
/// From a pickle of `_graph_info`. Error(corrupt) when it is none.
Graph read_graph(Buffer pickle);

/// Where in foreaches a task stands: step entered and index, outermost first; empty outside.
using Place = std::vector<std::pair<std::string, std::int64_t>>;
/// A task as a run may remember it: a TaskState would keep the run alive, and so for ever.
struct TaskEntry {
  std::string task;
  std::int64_t created_ms;
};
/// The tasks of one step, in split order.
using TasksByPlace = std::multimap<Place, TaskEntry>;

struct RunState : std::enable_shared_from_this<RunState> {
  RunState(std::shared_ptr<const Session> owner, std::string flow_name, std::string run_id)
      : session(std::move(owner)), flow(std::move(flow_name)), run(std::move(run_id)) {}

  const std::shared_ptr<const Session> session;
  const std::string flow, run;

  std::string pathspec() const { return flow + '/' + run; }
  metadata::Metadata& metadata() const { return session->metadata(); }
  metadata::RunRecord record() const { return session->find_run(flow, run); }
  /// A name by which the terminal step goes.
  std::string end_step() const;
  /// Error(not_found) when the run does not describe it.
  std::shared_ptr<const Graph> graph() const;
  /// Newest first.
  std::vector<std::shared_ptr<const TaskState>> tasks(const std::string& step) const;
  std::shared_ptr<const TasksByPlace> tasks_by_place(const std::string& step) const;
  std::shared_ptr<const TaskState> task(const std::string& step, const TasksByPlace::value_type& entry) const;

 private:
  mutable std::mutex mutex_;
  mutable std::optional<std::string> end_step_;                                             // guarded by mutex_
  mutable std::shared_ptr<const Graph> graph_;                                              // guarded by mutex_
  mutable std::map<std::string, std::shared_ptr<const TasksByPlace>, std::less<>> places_;  // guarded by mutex_
};

using Pointers = std::vector<metadata::ArtifactRecord>;

struct TaskState {
  TaskState(std::shared_ptr<const RunState> owner, std::string step_name, std::string task_id,
            std::optional<std::int64_t> created, std::optional<int> only_attempt = std::nullopt,
            std::optional<Place> known_place = std::nullopt)
      : run(std::move(owner)),
        step(std::move(step_name)),
        task(std::move(task_id)),
        attempt(only_attempt),
        created_ms_(created),
        place_(std::move(known_place)) {}

  const std::shared_ptr<const RunState> run;
  const std::string step, task;
  const std::optional<int> attempt;  ///< the only one to be looked at; nothing: the latest

  std::string pathspec() const { return run->pathspec() + '/' + step + '/' + task; }
  datastore::TaskPath path() const { return {run->run, step, task}; }
  std::int64_t created_ms() const;

  /// The attempt whose artifacts are shown, nothing while none is done.
  std::optional<int> done_attempt() const;
  std::optional<metadata::ArtifactRecord> pointer(std::string_view name) const;
  std::shared_ptr<const Pointers> pointers() const;
  /// What the datastore says of the attempt, which is more than the pointers do: sizes, types, and the artifacts that our
  /// engine writes no pointer for. Nothing while no attempt is done.
  std::shared_ptr<const datastore::ArtifactTable> table() const;
  /// Whether the pointer leads to True.
  bool is_true(std::string_view name) const;

  /// Its own, newest first, and those of `origin()` for fields that it has none of.
  std::vector<metadata::Datum> data() const;
  std::optional<std::string> newest_value(std::string_view field) const;
  /// Without asking the origin; nothing for the text None, which official Metaflow writes for ordinary runs.
  std::optional<std::string> newest_own_value(std::string_view field) const;
  /// The task that it is a clone of.
  std::shared_ptr<const TaskState> origin() const;
  int latest_attempt() const;
  Place place() const;

 private:
  std::optional<metadata::ArtifactRecord> pointer_of(int number, std::string_view name) const;

  mutable std::mutex mutex_;
  mutable std::optional<std::int64_t> created_ms_;  // guarded by mutex_, as all below
  mutable std::optional<int> done_;
  mutable bool is_final_ = false;  // no later attempt can come
  mutable std::map<std::string, metadata::ArtifactRecord, std::less<>> pointers_;
  mutable std::shared_ptr<const Pointers> all_pointers_;
  mutable std::shared_ptr<const datastore::ArtifactTable> table_;
  mutable std::optional<Place> place_;
};

struct ArtifactState {
  ArtifactState(std::shared_ptr<const TaskState> owner, metadata::ArtifactRecord record)
      : task(std::move(owner)), pointer(std::move(record)) {}

  const std::shared_ptr<const TaskState> task;
  const metadata::ArtifactRecord pointer;
};

/// Error(not_found) when there is no such task.
std::shared_ptr<const TaskState> open_task(const std::shared_ptr<const RunState>& run, std::string step,
                                           std::string task);

/// The pickle that a pointer leads to; of an include file, its content. Error: what is wrong, not of which artifact.
Buffer load(const TaskState& task, const metadata::ArtifactRecord& pointer);
/// Bytes of the content of an include file; nothing where that is not recorded, or it is none.
std::optional<std::uint64_t> included_size(const TaskState& task, const metadata::ArtifactRecord& pointer);
/// The folder in which the datastore of a pointer lies.
std::string root_of(const metadata::ArtifactRecord& pointer);

}  // namespace metaflow::client::detail
