#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <metaflow/task.hpp>

#include "base/clock.hpp"

namespace metaflow::metadata {

/// A run as metadata knows it.
struct RunRecord {
  std::string flow, run;
  std::string user;
  std::set<std::string> tags, system_tags;
  std::int64_t created_ms = 0;
};

struct TaskRecord {
  std::string run, step, task;
  std::int64_t created_ms = 0;
};

/// One metadata datum of a task.
struct Datum {
  std::string field = {}, value = {};
  std::string type = {};  ///< empty: the same as field
  /// Attempt it is tagged with; nothing: untagged.
  std::optional<int> attempt = std::nullopt;
  std::int64_t created_ms = 0;  ///< set when read
  /// The JSON text of a value that is not a string (foreach-stack is a list); then `value` is unused.
  std::string json = {};
};

/// What one pointer file says.
struct ArtifactRecord {
  std::string name;
  ArtifactReference reference;
  std::string ds_type, location;  ///< as stored: `:root:/data/proj/.metaflow`
  int attempt = 0;
  std::int64_t created_ms = 0;
};

/// Who runs: recorded in runs and used as the default namespace.
struct Identity {
  std::string user;  ///< METAFLOW_USER, SUDO_USER, USERNAME, USER: the first that is set and not root; else root
  std::string production_token;   ///< METAFLOW_PRODUCTION_TOKEN
  bool is_fallback_root = false;  ///< nothing but root was found: say so once
  /// `user:<name>` or `production:<token>`.
  std::string name_space() const {
    return production_token.empty() ? "user:" + user : "production:" + production_token;
  }
};
Identity current_identity();

/// As long as it lives, readers can tell that a process executes the run.
class RunHold {
 public:
  virtual ~RunHold() = default;
};

/// Runs, tasks, tags and their data of all flows under one root. Local files now, the service later.
/// Writers are called in the order: create_run, (add_task, then add_data and add_artifacts) per task. Safe to use from
/// several threads and processes.
class Metadata {
 public:
  virtual ~Metadata() = default;

  /// The folder of this machine that it is all in; empty where there is none.
  virtual std::string folder() const { return {}; }
  /// A new run: id taken exclusively; flow and run objects written. System tags are added by the provider.
  virtual RunRecord create_run(const std::string& flow, const std::set<std::string>& tags) = 0;
  /// The same under an id from outside, which is no number. Error(conflict) when there is such a run already.
  virtual RunRecord create_run_as(const std::string& flow, const std::string& run,
                                  const std::set<std::string>& tags) = 0;
  /// The run of that id as it is, or else a new one: for several processes that work on one run.
  virtual RunRecord open_run_as(const std::string& flow, const std::string& run, const std::set<std::string>& tags) = 0;
  /// Says that this process executes the run; however it ends, that ends with it.
  virtual std::unique_ptr<RunHold> hold_run(const RunRecord& run) = 0;
  /// Whether a process holds the run; nothing where that cannot be told: of a run of official Metaflow, or on a file system
  /// without locks.
  virtual std::optional<bool> is_held(const RunRecord& run) const = 0;
  /// Makes the step and task objects, where they are new, and the first data of this attempt. `created_ms`: strictly
  /// increasing within a run, given by the scheduler. Error(not_found) when the run has no record, or none any more.
  virtual void add_task(const RunRecord& run, const std::string& step, const std::string& task, std::int64_t created_ms,
                        const std::vector<Datum>& data) = 0;
  /// Data of a later attempt are newer than those of an earlier one, whatever the clock says.
  virtual void add_data(const RunRecord& run, const std::string& step, const std::string& task,
                        const std::vector<Datum>& data) = 0;
  /// One pointer file per artifact.
  virtual void add_artifacts(const RunRecord& run, const std::string& step, const std::string& task, int attempt,
                             const std::map<std::string, ArtifactReference, std::less<>>& artifacts,
                             const std::string& ds_type, const std::string& ds_root) = 0;
  /// `latest_run`, the marker read by `resume` and others.
  virtual void set_latest_run(const std::string& flow, const std::string& run) = 0;
  virtual std::optional<std::string> latest_run(const std::string& flow) const = 0;

  // Reading. Lists are newest first (by creation, ties by id); unknown parents give empty lists.
  // Damaged records throw Error(corrupt) that names the file.
  virtual std::vector<std::string> flows() const = 0;
  /// When the first run of a flow was made; nothing when the flow has no record.
  virtual std::optional<std::int64_t> flow_created_ms(const std::string& flow) const = 0;
  virtual std::vector<RunRecord> runs(const std::string& flow) const = 0;
  virtual std::optional<RunRecord> run(const std::string& flow, const std::string& run) const = 0;
  virtual std::vector<std::pair<std::string, std::int64_t>> steps(const std::string& flow,
                                                                  const std::string& run) const = 0;
  virtual std::vector<TaskRecord> tasks(const std::string& flow, const std::string& run,
                                        const std::string& step) const = 0;
  virtual std::optional<TaskRecord> task(const std::string& flow, const std::string& run, const std::string& step,
                                         const std::string& task) const = 0;
  virtual std::vector<Datum> data(const std::string& flow, const std::string& run, const std::string& step,
                                  const std::string& task) const = 0;
  /// The last recorded datum of one field, found by its name: the others are not read.
  virtual std::optional<Datum> newest_datum(const std::string& flow, const std::string& run, const std::string& step,
                                            const std::string& task, std::string_view field) const = 0;
  /// Attempts that are done, the one that readers take by default last.
  virtual std::vector<int> done_attempts(const std::string& flow, const std::string& run, const std::string& step,
                                         const std::string& task) const = 0;
  /// One pointer of an attempt that is done; nothing when it left no such artifact.
  virtual std::optional<ArtifactRecord> artifact(const std::string& flow, const std::string& run,
                                                 const std::string& step, const std::string& task, int attempt,
                                                 const std::string& name) const = 0;
  /// Of the attempt, or of the latest done one; nothing when none is done.
  virtual std::optional<std::vector<ArtifactRecord>> artifacts(const std::string& flow, const std::string& run,
                                                               const std::string& step, const std::string& task,
                                                               std::optional<int> attempt) const = 0;
  /// Changes user tags: removals first, then additions, atomically; limits and rules of flow-semantics 17. `created_ms`
  /// and user stay.
  virtual RunRecord change_tags(const std::string& flow, const std::string& run, const std::set<std::string>& add,
                                const std::set<std::string>& remove) = 0;
};

/// Local files under `<root>` (a `.metaflow` folder), which is made on the first write. `clock` outlives it. Runs that are
/// created get `more_system_tags` beside those of the provider.
std::unique_ptr<Metadata> open_local_metadata(const std::string& root, Clock& clock = system_clock(),
                                              std::set<std::string> more_system_tags = {});

/// Error(usage) unless each tag is non-empty UTF-8 of at most 500 characters and there are at most 50.
void validate_tags(const std::set<std::string>& tags);

/// The user tags that are left of `record.tags` after removals, then additions. A system tag cannot be removed; adding
/// one changes nothing. Error(usage) when a rule is broken.
std::set<std::string> changed_tags(const RunRecord& record, const std::set<std::string>& add,
                                   const std::set<std::string>& remove);

}  // namespace metaflow::metadata
