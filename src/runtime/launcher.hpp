#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <metaflow/task.hpp>

namespace metaflow::runtime {

/// One task attempt to be started: what the public `step` command takes, so that a fork and a fresh process do the
/// same.
struct TaskRequest {
  std::string step = {};
  std::string run, task;
  int attempt = 0;
  int max_user_code_retries = 0;
  std::string input_paths = {};  ///< the codec of `--input-paths` (cli.md 12)
  std::optional<std::int64_t> split_index = {};
  /// Display text of the foreach item at split_index, so that ten thousand children need not each read the parent's
  /// list; nothing: read it there.
  std::optional<std::string> split_value = {};
  /// How many splits there are; known together with split_value.
  std::optional<std::int64_t> split_count = {};
  /// A node of a gang: how many there are. Its own number is split_index; 0 is the control task.
  std::optional<std::int64_t> num_parallel = {};
  std::int64_t created_ms = 0;  ///< creation time to record; strictly increasing within a run
  std::optional<std::string> origin_run_id = {};
  std::string name_space = {};
  std::vector<std::string> tags = {};
  /// Where the attempt makes its temporary folder if the body asks for one; whoever started the process removes what is
  /// left of it. Empty: the attempt chooses.
  std::string temporary_folder = {};
  /// How this attempt has failed already, in a process that was not there any more to store it: the body is not run,
  /// and the attempt is stored as one that failed so.
  std::optional<Failure> failure = {};

  /// Nothing of the step's own runs: the attempt only stores a failure that came before it.
  bool is_fallback() const { return attempt > max_user_code_retries; }
  /// It ends after all other nodes of its gang, once it is told that these have ended well.
  bool is_control() const { return num_parallel && split_index == 0; }
};

/// What a task tells the scheduler when it has finished its own writes; nothing arrives from one that died.
struct TaskOutcome {
  bool succeeded = false;
  /// Successors actually chosen, in order: the static ones, or the one a switch chose.
  std::vector<std::string> next = {};
  std::vector<std::string> foreach_values =
      {};                         ///< foreach steps: display text of each item, as many as there are splits
  std::int64_t num_parallel = 0;  ///< steps with num_parallel: how many nodes the gang has
  std::optional<Failure> failure = {};
};

/// How the process of a task attempt ended.
struct ExitStatus {
  int code = 0;    ///< exit code when signal is 0
  int signal = 0;  ///< signal that ended it
  bool succeeded() const { return code == 0 && signal == 0; }
};

/// Names a launched attempt between scheduler and launcher; chosen by the scheduler, used once.
using AttemptHandle = std::uint64_t;

enum class OutputStream { out, err };

struct Started {
  AttemptHandle attempt = 0;
  std::string label;  ///< for the run log: `pid 600`
  /// Whoever executes the attempt ends it at the `@timeout` of its step.
  bool keeps_limit = false;
};
struct Output {
  AttemptHandle attempt = 0;
  OutputStream stream = OutputStream::out;
  std::string bytes;  ///< as read: lines may be cut anywhere
  /// Whole lines that the task itself has stored, and which are only to be shown.
  bool is_stored = false;
};
struct Finished {
  AttemptHandle attempt = 0;
  ExitStatus status;
  std::optional<TaskOutcome> outcome;  ///< nothing from a task that died before it could report
};
struct Refused {
  AttemptHandle attempt = 0;
  std::string reason;  ///< in a sentence
};
/// For one attempt: Started, then Output any number of times, then Finished once; or Refused alone, when no process
/// could be made for it beside what runs already.
using LauncherEvent = std::variant<Started, Output, Finished, Refused>;

/// The one seam to compute. Used by the scheduler's thread only; no call blocks.
class Launcher {
 public:
  virtual ~Launcher() = default;
  /// Starts an attempt; what becomes of it arrives as events. Throws Error: exhausted when nothing more can run beside
  /// what runs already, anything else when nothing can be started any more.
  virtual void launch(AttemptHandle attempt, const TaskRequest& request) = 0;
  /// Sends a signal to the attempt's process; no effect on one that has ended.
  virtual void signal(AttemptHandle attempt, int signal_number) = 0;
  /// Ctrl-C was pressed. Processes of the terminal have heard that; attempts that run elsewhere are told now.
  virtual void interrupt() {}
  /// Tells a control task that all other nodes of its gang have ended well; it may hear of it before it waits for it.
  virtual void let_finish(AttemptHandle attempt) = 0;
  /// Readable (epoll) whenever take_events() has something to say.
  virtual int descriptor() const = 0;
  virtual std::vector<LauncherEvent> take_events() = 0;
};

}  // namespace metaflow::runtime
