#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <metaflow/task.hpp>

#include "storage/object_store.hpp"

namespace metaflow::datastore {

/// `run/step/task` of one flow.
struct TaskPath {
  std::string run, step, task;

  std::string text() const { return run + '/' + step + '/' + task; }
  auto operator<=>(const TaskPath&) const = default;
};

/// Throws Error(invalid) unless `text` has exactly three non-empty parts.
TaskPath parse_task_path(std::string_view text);

/// What a finished attempt left: name -> where its value is.
using ArtifactTable = std::map<std::string, ArtifactReference, std::less<>>;

/// Attempts are numbered 0..5.
inline constexpr int max_attempts = 6;

/// The two streams of a task, and who stamped its lines: `runtime` (the scheduler) or `task` (a remote wrapper).
enum class LogStream { out, err };
enum class LogSource { runtime, task };

/// Control files and logs of one flow's task attempts. Order of a writer: start_attempt, (blobs), finish.
/// Safe to use from several threads.
class TaskStore {
 public:
  /// `store` outlives it.
  TaskStore(storage::ObjectStore& store, std::string flow_name) : store_(store), flow_(std::move(flow_name)) {}

  /// `N.attempt.json`.
  void start_attempt(const TaskPath& task, int attempt, double seconds_since_epoch);
  /// `N.data.json`, then `N.DONE.lock`. All blobs must be stored before.
  void finish(const TaskPath& task, int attempt, const ArtifactTable& artifacts);
  /// The artifacts of the latest started attempt if that one is done, else nothing (an earlier done attempt does not
  /// count).
  std::optional<ArtifactTable> read(const TaskPath& task) const;
  /// The same for each of these, all at a time.
  std::vector<std::optional<ArtifactTable>> read_all(std::span<const TaskPath> tasks) const;
  /// The artifacts of this attempt, nothing if it is not done.
  std::optional<ArtifactTable> read(const TaskPath& task, int attempt) const;
  /// Ids of all tasks of a step that have left anything, sorted by text.
  std::vector<std::string> tasks(const std::string& run, const std::string& step) const;
  /// Latest started attempt; nothing if none was.
  std::optional<int> latest_attempt(const TaskPath& task) const;

  /// Key of `N.runtime_stdout.log` and its like, relative to the store.
  std::string log_key(const TaskPath& task, int attempt, LogSource source, LogStream stream) const;
  void append_log(const TaskPath& task, int attempt, LogSource source, LogStream stream, std::string_view lines);
  /// No more is appended: see ObjectStore::settle.
  void settle_log(const TaskPath& task, int attempt, LogSource source, LogStream stream);
  /// Stored text of one file; empty when there is none.
  std::string read_log(const TaskPath& task, int attempt, LogSource source, LogStream stream) const;
  void replace_log(const TaskPath& task, int attempt, LogSource source, LogStream stream, std::string_view lines);

 private:
  std::string key(const TaskPath& task, int attempt, std::string_view file) const;
  std::optional<ArtifactTable> read_latest(const TaskPath& task) const;
  ArtifactTable parse_table(const TaskPath& task, int attempt, const std::optional<Buffer>& bytes) const;

  storage::ObjectStore& store_;
  std::string flow_;
};

}  // namespace metaflow::datastore
