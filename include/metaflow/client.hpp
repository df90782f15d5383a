#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <metaflow/buffer.hpp>
#include <metaflow/codec.hpp>
#include <metaflow/error.hpp>
#include <metaflow/task.hpp>

/// Reading runs back: in a program of its own, or in a step that uses what an earlier run left.
///
///     const auto run = metaflow::client::Flow("MovieStats").latest_successful_run();
///     if (run) std::cout << run->artifact<double>("gross").value();
///
/// Everything here is a cheap handle. What may still change is asked anew by each call; what cannot change any more is read once for a
/// handle and its copies. Safe to use from several threads. Lists are newest first. Names that do not exist, or belong to somebody
/// else's namespace, are refused by the constructors and by members that take a name: Error(not_found) or Error(denied). Malformed
/// pathspecs are Error(invalid), damaged records Error(corrupt).
namespace [[gnu::visibility("default")]] metaflow {
namespace client {

class Flow;
class Run;
class Step;
class Task;

namespace detail {
class Session;
struct ArtifactState;
struct RunState;
struct TaskState;
template <Storable T>
T decode_artifact(const std::string& pathspec, Buffer pickle);
}  // namespace detail

using Time = std::chrono::sys_time<std::chrono::milliseconds>;

/// `user:<name>` or `production:<token>`, by who runs this program; inside a step, the namespace of its run. Nothing when
/// that is the global one.
std::optional<std::string> default_namespace();

struct Options {
  /// Holds `.metaflow`. Empty: found as the command line finds it, from the environment or the working directory upwards.
  std::filesystem::path folder;
  /// A tag that runs must have to be seen, nothing for all runs.
  std::optional<std::string> name_space = default_namespace();
  /// The `.metaflow` folder itself, whatever its name, instead of `folder`.
  std::filesystem::path root = {};
};

/// Options that show what the command `spin` left instead of ordinary runs. `folder` holds `.metaflow_spin`; empty: found as the
/// command line finds it.
Options inspect_spin(const std::filesystem::path& folder = {});

/// How far a run or task has come, as far as its records tell.
enum class Status : std::uint8_t {
  done,        ///< ended well
  caught,      ///< failed, but its failure was caught: what comes after it ran
  failed,      ///< a task's latest attempt failed (there may be another try), or a run has such a task
  unfinished,  ///< started and not ended: it still runs, or died without a word
};
/// `done`, `caught`, `failed` or `unfinished`.
std::string_view status_name(Status status);

enum class LogStream : std::uint8_t { out, err };

/// One line that a task printed.
struct LogLine {
  /// When it was printed; nothing for a line that was stored without its time.
  std::optional<std::chrono::sys_time<std::chrono::microseconds>> time;
  std::string text;  ///< without newline
};

/// One thing that is recorded about a task.
struct Metadatum {
  std::string name;
  std::string value;  ///< JSON text where it is no text
  std::string type;
  Time created_at;
  std::optional<int> attempt;  ///< nothing where that is not recorded
};

/// One value that an attempt of a task left.
class DataArtifact {
 public:
  /// `Flow/run/step/task/name`: of the latest attempt that is done.
  explicit DataArtifact(std::string_view pathspec, const Options& options = {});

  const std::string& id() const;
  std::string pathspec() const;
  Task parent() const;
  /// The value; Error(invalid) if it is no T. An include file is read as its content. `Value` takes anything.
  template <Storable T>
  T value() const {
    return detail::decode_artifact<T>(pathspec(), pickle());
  }
  /// The same as stored, for other decoders. The content of an include file comes as a pickled str or bytes.
  Buffer pickle() const;
  /// SHA-1 of the pickle, 40 lowercase hex digits: equal values of a flow mostly have equal keys.
  const std::string& key() const;
  /// The Python type of the value, `<class 'int'>`, and the length of its pickle, or of an include file: nothing where these are not
  /// recorded.
  std::optional<std::string> type() const;
  std::optional<std::uint64_t> size() const;
  /// When its attempt ended.
  Time finished_at() const;
  int attempt() const;

 private:
  friend class Task;
  explicit DataArtifact(std::shared_ptr<const detail::ArtifactState> state) : state_(std::move(state)) {}

  std::shared_ptr<const detail::ArtifactState> state_;
};

/// One execution of a step. Its artifacts are those of the latest attempt that is done.
class Task {
 public:
  /// `Flow/run/step/task`; Error(invalid) for anything else.
  explicit Task(std::string_view pathspec, const Options& options = {});

  const std::string& id() const;
  std::string pathspec() const;
  Step parent() const;
  /// This task as that attempt left it: its artifacts, logs and metadata. Error(invalid) unless it is 0 to 5.
  Task at_attempt(int number) const;

  /// Whether it ended well, or its failure was caught.
  bool finished() const;
  /// Whether its body ended without an exception.
  bool successful() const;
  Status status() const;
  Time created_at() const;
  /// Nothing while it is not finished.
  std::optional<Time> finished_at() const;
  /// When its latest attempt that is done ended, well or not.
  std::optional<Time> ended_at() const;
  /// The number of its latest attempt, from 0, or the one that was asked for.
  int current_attempt() const;

  /// What it left under `name`, nothing if that was never set. Error(invalid) if it is no T. An include file is read as its
  /// content. `Value` takes anything.
  template <Storable T>
  std::optional<T> artifact(std::string_view name) const {
    auto pickle = artifact_pickle(name);
    if (!pickle) return std::nullopt;
    return detail::decode_artifact<T>(pathspec() + '/' + std::string(name), std::move(*pickle));
  }
  /// The same as stored, for other decoders. The content of an include file comes as a pickled str or bytes.
  std::optional<Buffer> artifact_pickle(std::string_view name) const;
  /// Names, without the private ones that start with `_`; sorted.
  std::vector<std::string> artifact_names() const;
  /// With the private ones, as far as they are recorded; sorted.
  std::vector<std::string> all_artifact_names() const;
  /// All of these.
  std::vector<DataArtifact> artifacts() const;
  /// One by its name, which may be private: Error(not_found) if it was never set.
  DataArtifact data_artifact(std::string_view name) const;

  /// Foreach frames around it, outermost first.
  std::vector<ForeachFrame> foreach_stack() const;
  /// Position in the innermost foreach, nothing outside one.
  std::optional<std::int64_t> index() const;
  /// Why it failed; nothing if it did not, or died before it could say.
  std::optional<Failure> exception() const;

  /// What its latest attempt printed so far; of a task that `resume` took over, what the original printed.
  std::string stdout_text() const;
  std::string stderr_text() const;
  std::vector<LogLine> log_lines(LogStream stream) const;
  /// Bytes stored for it, which is more than the text has.
  std::uint64_t stdout_size() const;
  std::uint64_t stderr_size() const;

  /// All that is recorded about it, newest first. What a task taken over by `resume` lacks comes from the original.
  std::vector<Metadatum> metadata() const;
  /// The newest value of each name.
  std::map<std::string, std::string> metadata_dict() const;
  /// What ran it: `dev` on a laptop.
  std::optional<std::string> runtime_name() const;
  /// The task that `resume` took it over from; nothing for all others.
  std::optional<std::string> origin_pathspec() const;

  /// The tasks that led to this one, and those it led to so far: by the graph of the flow, the position in foreaches, and
  /// the choices of switches. Error(not_found) when the run has no description of its graph.
  std::vector<Task> parent_tasks() const;
  std::vector<Task> child_tasks() const;
  std::vector<std::string> parent_task_pathspecs() const;
  std::vector<std::string> child_task_pathspecs() const;

  /// Those of its run.
  std::set<std::string> user_tags() const;
  std::set<std::string> system_tags() const;
  std::set<std::string> tags() const;

 private:
  friend class DataArtifact;
  friend class Step;
  explicit Task(std::shared_ptr<const detail::TaskState> state) : state_(std::move(state)) {}

  std::shared_ptr<const detail::TaskState> state_;
};

/// The tasks of one step of a run.
class Step {
 public:
  /// `Flow/run/step`.
  explicit Step(std::string_view pathspec, const Options& options = {});

  const std::string& id() const { return step_; }
  std::string pathspec() const;
  Run parent() const;
  Time created_at() const;
  /// When its last task finished; nothing while one is not.
  std::optional<Time> finished_at() const;
  std::vector<Task> tasks() const;
  Task task(std::string_view id) const;
  /// The newest one: of a step without foreach, the only one. Error(not_found) when none has started.
  Task task() const;
  /// Those that lead a gang or an unbounded foreach: node 0 of each gang.
  std::vector<Task> control_tasks() const;
  /// The newest of them, nothing when there is none.
  std::optional<Task> control_task() const;
  /// Steps of the same run from which this one is reached, and those that it leads to, as far as they have started; in the
  /// order of the graph. Error(not_found) when the run has no description of its graph.
  std::vector<Step> parent_steps() const;
  std::vector<Step> child_steps() const;
  /// The step that `resume` took it over from, if its newest task was.
  std::optional<std::string> origin_pathspec() const;

  /// Those of its run.
  std::set<std::string> user_tags() const;
  std::set<std::string> system_tags() const;
  std::set<std::string> tags() const;

 private:
  friend class Run;
  friend class Task;
  Step(std::shared_ptr<const detail::RunState> run, std::string step);

  std::shared_ptr<const detail::RunState> run_;
  std::string step_;
};

/// One execution of a flow, running or finished.
class Run {
 public:
  /// `Flow/run`.
  explicit Run(std::string_view pathspec, const Options& options = {});

  const std::string& id() const;
  std::string pathspec() const;
  Flow parent() const;
  /// Whether its terminal step is.
  bool finished() const;
  bool successful() const;
  /// Looks at each task of a run whose terminal step has not finished, until it finds one that failed.
  Status status() const;
  Time created_at() const;
  std::optional<Time> finished_at() const;
  /// Who started it.
  std::string user() const;
  /// The run that `resume` continued; nothing for ordinary runs.
  std::optional<std::string> origin_pathspec() const;

  /// Steps with at least one task.
  std::vector<Step> steps() const;
  /// `_parameters`, the pseudo-step that holds the parameters, is found by name only.
  Step step(std::string_view name) const;
  /// Name of the terminal step; `end` where the run does not describe its graph.
  std::string end_step() const;
  /// The task of the terminal step, nothing while it has not started.
  std::optional<Task> end_task() const;
  /// What the terminal step left under `name`, nothing if it was never set or the step has not finished.
  template <Storable T>
  std::optional<T> artifact(std::string_view name) const {
    const auto last = end_task();
    if (!last) return std::nullopt;
    return last->template artifact<T>(name);
  }

  /// Given by users, and given by the engine.
  std::set<std::string> user_tags() const;
  std::set<std::string> system_tags() const;
  /// Both.
  std::set<std::string> tags() const;

  /// Change the user tags for all readers. At most 50 tags of 1 to 500 characters, system tags cannot be removed: Error(invalid)
  /// otherwise. Adding what is there, and removing what is not, change nothing.
  void add_tag(const std::string& tag) const { replace_tags({}, {tag}); }
  void add_tags(const std::set<std::string>& tags) const { replace_tags({}, tags); }
  void remove_tag(const std::string& tag) const { replace_tags({tag}, {}); }
  void remove_tags(const std::set<std::string>& tags) const { replace_tags(tags, {}); }
  void replace_tag(const std::string& removed, const std::string& added) const { replace_tags({removed}, {added}); }
  /// Both at once: no reader sees the one without the other.
  void replace_tags(const std::set<std::string>& removed, const std::set<std::string>& added) const;

 private:
  friend class Flow;
  friend class Step;
  friend class Task;
  explicit Run(std::shared_ptr<const detail::RunState> state) : state_(std::move(state)) {}

  std::shared_ptr<const detail::RunState> state_;
};

/// All runs of one flow.
class Flow {
 public:
  /// In a namespace if any of its runs is.
  explicit Flow(std::string name, const Options& options = {});

  const std::string& id() const { return name_; }
  /// Runs that have all of these tags.
  std::vector<Run> runs(const std::set<std::string>& tags = {}) const;
  Run run(std::string_view id) const;
  std::optional<Run> latest_run() const;
  std::optional<Run> latest_successful_run() const;

 private:
  friend class Run;
  Flow(std::shared_ptr<const detail::Session> session, std::string name);

  std::shared_ptr<const detail::Session> session_;
  std::string name_;
};

/// Names of the flows that have a run in the namespace, sorted.
std::vector<std::string> flows(const Options& options = {});

namespace detail {

[[noreturn]] void refuse_artifact(const std::string& pathspec, const Error& reason);

template <Storable T>
T decode_artifact(const std::string& pathspec, Buffer pickle) {
  try {
    return decode<T>(std::move(pickle));
  } catch (const Error& error) {
    refuse_artifact(pathspec, error);
  }
}

}  // namespace detail
}  // namespace client
}  // namespace metaflow
