#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <metaflow/error.hpp>
#include <metaflow/task.hpp>

#include "base/clock.hpp"
#include "datastore/task_store.hpp"
#include "metadata/metadata.hpp"
#include "model/step_settings.hpp"
#include "runtime/gang.hpp"
#include "runtime/launcher.hpp"
#include "runtime/plan.hpp"
#include "runtime/run.hpp"
#include "runtime/run_log.hpp"
#include "runtime/task_log.hpp"

namespace metaflow::runtime {

/// A task that has failed for good.
struct FailedTask {
  std::string pathspec;  ///< `run/step/task`
  std::string why;       ///< in one line
  bool has_log = true;   ///< what it printed is stored, and can be asked for
};

/// How a run ended.
struct RunEnd {
  enum class Kind { done, failed, interrupted } kind = Kind::done;
  std::string message;       ///< failed: text for the error block
  bool is_internal = false;  ///< failed: by a disagreement, not by a task
  std::vector<FailedTask> failures = {};
};

/// Where a scheduler takes up a run: at its first step, or, of a run that is resumed, behind what is finished already.
struct Beginning {
  Plan plan;
  std::uint64_t next_task = 1;       ///< the first id to be given out; 0 is the task of _parameters, where there is one
  std::int64_t last_created_ms = 0;  ///< creation time recorded for the task before that
  std::vector<std::uint64_t> done = {};  ///< tasks that are finished, by step; empty: none
  std::optional<std::string> origin_run_id = {};
};

/// All state of one run, owned by one thread: what is ready, what runs, what each running task has printed. Time and
/// processes come from outside: the owner hands in launcher events and signals, and asks how long it may wait.
class Scheduler {
 public:
  /// All references outlive it.
  Scheduler(const FlowProgram& program, const metadata::RunRecord& run, const RunOptions& options,
            datastore::TaskStore& logs, Launcher& launcher, Clock& clock, RunLog& run_log, Beginning beginning);

  /// Launches what is ready, as far as there are free slots.
  void launch_ready();
  void take(const LauncherEvent& event);
  /// Ctrl-C and its like: no new launches; running tasks may end in the next seconds. The second time they are killed.
  void interrupt(int signal_number);
  /// Whatever is due: limits of tasks, the end of the grace period, progress lines.
  void on_time();
  /// When on_time() has to be called at the latest, by the steady clock.
  std::int64_t next_deadline() const noexcept;
  /// Stores collected log lines, and refreshes the status line.
  void end_turn();

  bool finished() const noexcept {
    return running_.empty() && (stopping_ || (plan_.ready_count() == 0 && waiting_.empty() && crowded_out_.empty()));
  }
  RunEnd end();

 private:
  struct Running {
    AttemptHandle handle;
    PlannedTask planned;
    TaskRequest request;
    std::shared_ptr<Gang> gang;  // that it is a node of
    std::string head;            // of its lines: `run/step/task (pid 600)` once it has started
    LineSplitter lines[2];
    StoredLog stored[2];
    bool has_news = false;
    bool killed = false, timed_out = false;
    std::int64_t due_us = 0;  // when it reaches its limit or, once killed, is given up; 0: never
    // A gang counts as one task for --max-workers: fewer workers than nodes would leave it waiting for itself.
    bool takes_slot() const { return !gang || planned.branch == 0; }
  };
  /// An attempt, of all nodes of a gang, until its time has come or there is room for it.
  struct Waiting {
    PlannedTask planned;
    TaskRequest request;
    FailedAttempt before;  // how the last one failed, or why it has to wait
  };
  using Entry = std::map<AttemptHandle, Running>::iterator;

  bool has_slot() const noexcept;
  void launch(PlannedTask planned);
  TaskRequest make_request(const PlannedTask& planned);
  void start(PlannedTask planned, TaskRequest request);
  void start_gang(const std::shared_ptr<Gang>& gang);
  bool start_attempt(PlannedTask planned, TaskRequest request, const std::shared_ptr<Gang>& gang = nullptr);
  Running take_out(Entry entry);
  void refuse(Running refused, const std::string& why);
  void on_refused(Entry entry, const Refused& event);
  void on_started(Running& task, const Started& event);
  void on_output(Running& task, const Output& event);
  void on_finished(Entry entry, const Finished& event);
  void succeed(Running& task, const TaskOutcome& outcome);
  void finish(const PlannedTask& planned, const TaskRequest& request, const TaskOutcome& outcome);
  void store_timeout(Running& task);
  void fail(Running& task, const Finished& event);
  void fail_node(Gang& gang, std::size_t node, FailedAttempt failed);
  void go_on(Gang& gang);
  void wait_for_all(Waiting gang);
  void retry_or_stop(Waiting failed);
  void try_again(Waiting failed);
  void add_failure(const Waiting& failed);
  bool may_try_again(const Waiting& failed) const;
  void set_due(Running& task, std::int64_t microseconds);
  void come_due(Entry entry);
  void kill(Running& task);
  void show_line(Running& task, OutputStream stream, std::string_view line, bool is_stored = false);
  void own_line(Running& task, OutputStream stream, std::string_view text, Tone tone);
  void store_logs(Running& task);
  void end_logs(Running& task);
  void lose_log(const std::string& pathspec, const Error& error);
  void stop(RunEnd end);
  void announce_termination();
  void kill_rest();
  void flush_notice();
  void show_progress();
  std::string status_line() const;
  std::int64_t now() const { return clock_.now_microseconds(); }        // for what is shown and stored
  std::int64_t steady() const { return clock_.steady_microseconds(); }  // for whatever is due
  std::string pathspec(const FinishedTask& task) const;

  const FlowProgram& program_;
  const metadata::RunRecord& run_;
  const RunOptions& options_;
  datastore::TaskStore& logs_;
  Launcher& launcher_;
  Clock& clock_;
  RunLog& run_log_;
  Plan plan_;
  std::map<AttemptHandle, Running> running_;
  std::size_t slots_taken_ = 0;
  std::vector<AttemptHandle> with_news_;
  struct StepCount {
    std::uint64_t running = 0, done = 0;
  };
  std::vector<StepCount> counts_;              // by step
  std::vector<model::StepSettings> settings_;  // by step
  std::set<std::pair<std::int64_t, AttemptHandle>> due_;
  std::multimap<std::int64_t, Waiting> waiting_;  // by the time they may start
  std::deque<Waiting> crowded_out_;               // gangs: each starts once nothing else runs
  std::vector<FailedTask> failures_;
  std::set<std::string> cut_logs_;  // pathspecs of tasks whose log is not stored whole
  LogStamper stamper_;
  AttemptHandle last_attempt_ = 0;
  std::uint64_t next_task_;
  std::int64_t last_created_ms_;
  std::optional<std::string> origin_run_id_;
  bool slots_exhausted_ = false;
  bool stopping_ = false, grace_over_ = false;
  RunEnd end_;
  std::int64_t started_us_, grace_ends_us_ = 0, next_progress_us_;
};

}  // namespace metaflow::runtime
