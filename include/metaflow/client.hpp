#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
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
/// Everything here is a cheap handle: each call asks the records anew, and throws Error when they cannot be read. Safe to use
/// from several threads. Lists are newest first. Names that do not exist, or belong to somebody else's namespace, are refused
/// by the constructors and by members that take a name: Error(not_found) or Error(denied).
namespace [[gnu::visibility("default")]] metaflow {
namespace client {

namespace detail {
class Session;
struct TaskState;
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
};

/// One execution of a step.
class Task {
 public:
  /// `Flow/run/step/task`; Error(invalid) for anything else.
  explicit Task(std::string_view pathspec, const Options& options = {});

  const std::string& id() const;
  std::string pathspec() const;

  /// Whether it ended well, or its failure was caught.
  bool finished() const;
  /// Whether its body ended without an exception.
  bool successful() const;
  Time created_at() const;
  /// Nothing while it is not finished.
  std::optional<Time> finished_at() const;
  /// The number of its latest attempt, from 0.
  int current_attempt() const;

  /// What it left under `name`, nothing if that was never set. Error(invalid) if it is no T. An include file is read as its
  /// content. `Value` takes anything.
  template <Storable T>
  std::optional<T> artifact(std::string_view name) const {
    auto pickle = artifact_pickle(name);
    if (!pickle) return std::nullopt;
    return decode_artifact<T>(name, std::move(*pickle));
  }
  /// The same as stored, for other decoders. The content of an include file comes as a pickled str or bytes.
  std::optional<Buffer> artifact_pickle(std::string_view name) const;
  /// Key of what is stored under `name`; `type` is empty and `size` 0 where only the pointer was read.
  std::optional<ArtifactReference> artifact_reference(std::string_view name) const;
  /// Names, without the private ones that start with `_`; sorted.
  std::vector<std::string> artifact_names() const;

  /// Foreach frames around it, outermost first.
  std::vector<ForeachFrame> foreach_stack() const;
  /// Position in the innermost foreach, nothing outside one.
  std::optional<std::int64_t> index() const;
  /// Why it failed; nothing if it did not, or died before it could say.
  std::optional<Failure> exception() const;
  /// What its latest attempt printed so far.
  std::string stdout_text() const;
  std::string stderr_text() const;

 private:
  friend class Step;
  explicit Task(std::shared_ptr<const detail::TaskState> state) : state_(std::move(state)) {}
  [[noreturn]] void refuse(std::string_view name, const Error& reason) const;
  template <Storable T>
  T decode_artifact(std::string_view name, Buffer pickle) const {
    try {
      return decode<T>(std::move(pickle));
    } catch (const Error& error) {
      refuse(name, error);
    }
  }

  std::shared_ptr<const detail::TaskState> state_;
};

/// The tasks of one step of a run.
class Step {
 public:
  /// `Flow/run/step`.
  explicit Step(std::string_view pathspec, const Options& options = {});

  const std::string& id() const { return step_; }
  std::string pathspec() const;
  Time created_at() const;
  /// When its last task finished; nothing while one is not.
  std::optional<Time> finished_at() const;
  std::vector<Task> tasks() const;
  Task task(std::string_view id) const;
  /// The newest one: of a step without foreach, the only one. Error(not_found) when none has started.
  Task task() const;

 private:
  friend class Run;
  Step(std::shared_ptr<const detail::Session> session, std::string flow, std::string run, std::string step);

  std::shared_ptr<const detail::Session> session_;
  std::string flow_, run_, step_;
};

/// One execution of a flow, running or finished.
class Run {
 public:
  /// `Flow/run`.
  explicit Run(std::string_view pathspec, const Options& options = {});

  const std::string& id() const { return run_; }
  std::string pathspec() const { return flow_ + '/' + run_; }
  /// Whether its terminal step is.
  bool finished() const;
  bool successful() const;
  Time created_at() const;
  std::optional<Time> finished_at() const;

  /// Steps with at least one task.
  std::vector<Step> steps() const;
  /// `_parameters`, the pseudo-step that holds the parameters, is found by name only.
  Step step(std::string_view name) const;
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

 private:
  friend class Flow;
  Run(std::shared_ptr<const detail::Session> session, std::string flow, std::string run);

  std::shared_ptr<const detail::Session> session_;
  std::string flow_, run_;
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
  std::shared_ptr<const detail::Session> session_;
  std::string name_;
};

/// Names of the flows that have a run in the namespace, sorted.
std::vector<std::string> flows(const Options& options = {});

}  // namespace client
}  // namespace metaflow
