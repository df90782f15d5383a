#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <metaflow/buffer.hpp>
#include <metaflow/failure.hpp>
#include <metaflow/model.hpp>
#include <metaflow/pickle.hpp>

/// The seam between a flow's language and the engine: the engine hands a TaskContext to the body, the body hands back
/// artifacts and a StepResult. The C++ flow API is one user of it, the C ABI another.
namespace [[gnu::visibility("default")]] metaflow {

/// One level of foreach around a task.
struct ForeachFrame {
  std::string step;                        ///< the step entered
  std::string variable;                    ///< the artifact iterated
  std::optional<std::int64_t> num_splits;  ///< nothing for an unbounded foreach
  std::int64_t index = 0;                  ///< 0-based; -1 for a task that has no item, but leads those that have
  std::optional<std::string> value;        ///< display text of the item

  bool operator==(const ForeachFrame&) const = default;
};

/// The place of a task in its gang: the tasks of a step that `num_parallel` started.
struct Parallel {
  std::string main_ip;  ///< of the machine that node 0 runs on
  int num_nodes = 1;
  int node_index = 0;           ///< 0 is the control task, which ends after all others
  std::string control_task_id;  ///< of the task that is node 0

  bool operator==(const Parallel&) const = default;
};

/// Who and where the running task is.
struct Current {
  std::string flow_name, run_id, step_name, task_id;
  int retry_count = 0;  ///< the attempt, from 0
  /// The run that `resume` continued, nothing for an ordinary run.
  std::optional<std::string> origin_run_id;
  std::string user_name;
  std::string name_space;  ///< `user:<name>` or `production:<token>`, empty for the global one
  std::vector<std::string> tags;
  std::vector<ForeachFrame> foreach_stack;  ///< outermost first
  std::optional<Parallel> parallel;         ///< nothing outside a gang
  int max_user_code_retries = 0;            ///< attempts of the body that may follow the first
  /// Path of a folder for this attempt alone: made when first called, removed after the attempt.
  std::function<std::string()> temporary_folder;

  /// `Flow/run/step/task`.
  std::string pathspec() const { return flow_name + '/' + run_id + '/' + step_name + '/' + task_id; }
  /// Position in the innermost foreach or gang, nothing outside one.
  std::optional<std::int64_t> index() const {
    if (foreach_stack.empty()) return std::nullopt;
    return foreach_stack.back().index;
  }
};

/// Names one stored value; enough to pass it on without loading it.
struct ArtifactReference {
  std::string key;         ///< SHA-1 of the pickle, 40 lowercase hex digits
  std::string type;        ///< `<class 'int'>`
  std::uint64_t size = 0;  ///< length of the pickle in bytes
  std::string encoding = "pickle-v4";

  bool operator==(const ArtifactReference&) const = default;
};

/// The artifacts of one finished task, read on demand. Safe to use from several threads.
class ArtifactSource {
 public:
  virtual ~ArtifactSource() = default;
  /// Nothing when the task left no such artifact.
  virtual std::optional<ArtifactReference> find(std::string_view name) const = 0;
  /// All names, private ones too, sorted.
  virtual std::vector<std::string> names() const = 0;
  /// The pickle, its digest verified. `name` is for the error: corrupt or unavailable, saying which artifact of which
  /// task.
  virtual Buffer load(std::string_view name, const ArtifactReference& reference) const = 0;
  /// One item of a list, as pickle::decode_item.
  virtual pickle::Document load_item(std::string_view name, const ArtifactReference& reference,
                                     std::size_t index) const {
    return pickle::decode_item(load(name, reference), index);
  }
  /// The pickle of one item of a list, as pickle::Items::pickle.
  virtual std::optional<std::string> load_item_pickle(std::string_view name, const ArtifactReference& reference,
                                                      std::size_t index) const {
    return pickle::Items(load(name, reference)).pickle(index);
  }
  /// Content of an include file by the `url` of its descriptor, already unpacked.
  virtual Buffer load_included_file(std::string_view url) const = 0;
  /// Of the task that left them, e.g. `12/start/3`.
  virtual std::string task_pathspec() const = 0;
  virtual std::string step_name() const = 0;
  /// Foreach frames around that task, outermost first.
  virtual const std::vector<ForeachFrame>& foreach_stack() const = 0;
};

struct NamedArtifact {
  std::string name;
  Encoded value;
};

/// What a step's body may ask of the engine while it runs. Used by the task's main thread, but `inherited` and `input`
/// from any.
class TaskContext {
 public:
  virtual ~TaskContext() = default;
  virtual const Current& current() const = 0;
  /// What this task starts from: its single parent's artifacts, or parameters and constants only for a join.
  virtual const ArtifactSource& inherited() const = 0;
  /// The tasks before this one: one for ordinary steps; for a join one per branch, in split order.
  virtual std::size_t input_count() const = 0;
  virtual const ArtifactSource& input(std::size_t i) const = 0;

  /// Stores values under their names, several at once in parallel. What a previous call stored under a name is
  /// replaced. This and the next two throw Error(invalid) for the name of a parameter or constant.
  virtual void store(std::span<const NamedArtifact> artifacts) = 0;
  /// Makes `name` refer to a value that is stored already.
  virtual void pass(std::string_view name, const ArtifactReference& reference) = 0;
  /// Neither this task nor those after it have `name`.
  virtual void drop(std::string_view name) = 0;
};

/// How a body ended. The static transition of the step says the rest.
struct StepResult {
  std::optional<Failure> failure;
  /// foreach steps: display text of each item; its length is the number of splits. See `foreach_value`.
  std::vector<std::string> foreach_values;
  /// switch steps: the step chosen.
  std::string chosen;
  /// steps with num_parallel: how many nodes. The engine refuses what makes no gang.
  std::int64_t num_parallel = 0;
};

/// For defaults that are computed when the run starts.
struct ParameterContext {
  std::string flow_name, user_name, parameter_name;
};

/// Text to value for one entry of model::Flow::parameters, same index.
struct ParameterBinding {
  /// The value of a text given by the user. Throws Error(usage) that names the option, the text and what was expected.
  /// Unused for include files, whose text is a path.
  std::function<Encoded(std::string_view text)> parse;
  /// The default value; nothing when there is none. Include files encode the default path as a str.
  std::function<std::optional<Encoded>(const ParameterContext&)> default_value;
};

/// An option that the command line of a flow has before the command, beside those of the engine.
struct FlowOption {
  /// `pairs` takes two words each time, `repeated` one.
  enum class Kind { text, flag, repeated, pairs };
  std::string name;  ///< without `--`
  Kind kind = Kind::text;
  std::string type_name = "TEXT";  ///< as help shows it
  std::string help;
  std::string off_name;  ///< flags: the option that switches it off
  std::string variable;  ///< its environment variable without METAFLOW_; empty: the name, upper case. Pairs have none.
};

/// What the command line says, as far as that does not depend on the code of the flow.
struct FlowChoices {
  std::string command;
  /// Options of the flow's own that were given, by name: one text; `true` or `false` for a flag; all of a repeated one; all
  /// words of pairs, one after another.
  std::vector<std::pair<std::string, std::vector<std::string>>> options;
  /// Decorators for all steps, in order of precedence: each adds what those before it did not.
  std::vector<std::string> decorators;
};

/// The code of a flow that is a script, as far as it does not lie beside and below it.
struct ScriptCode {
  std::vector<std::string> suffixes;  ///< of what lies beside and below the script and belongs to it
  std::vector<std::pair<std::string, std::string>> files;        ///< names in the package, and paths
  std::vector<std::pair<std::string, std::string>> information;  ///< of what runs the script, such as its version
};

/// A flow as it is to be executed by one command: its decorators are attached; steps and parameters keep their places.
struct ConfiguredFlow {
  model::Flow flow;
  std::vector<std::string> system_tags;  ///< of runs, beside those the engine gives
  std::optional<ScriptCode> code;        ///< for the commands of the code package
};

/// What a language brings along whose flows are not programs of their own.
struct LanguageBinding {
  std::vector<FlowOption> options;
  std::vector<std::string> command;  ///< starts this program in a fresh process; empty: its executable does
  std::string script;                ///< how the user calls it, for hints; empty: as argv[0] says
  bool spawns_tasks = false;         ///< unless the user chooses, each task is a fresh process
  std::vector<std::string> system_tags;
  /// Bodies meet their `@timeout` themselves, so that the engine gives them some seconds more.
  bool interrupts_itself = false;
  /// Values are left to the language: the engine looks into none of them.
  bool has_opaque_values = false;
  /// For the commands of the code package.
  std::optional<ScriptCode> code;
  /// Without it the engine attaches the decorators, and all stays as it is here.
  std::function<ConfiguredFlow(const FlowChoices&)> configure;
  /// Does what fork(2) does.
  std::function<int()> fork_process;
  /// Called at the end of a task's process, once its outcome is stored.
  std::function<void()> leave_process;
};

/// A flow and the code behind it: all the engine needs to run it.
struct FlowProgram {
  model::Flow flow;
  std::vector<ParameterBinding> parameters;
  /// Runs the body of flow.steps[step] and stores what it set, also when it failed. Exceptions of the body become
  /// StepResult::failure; Error thrown by the context while storing passes through.
  std::function<StepResult(std::size_t step, TaskContext& task)> run_step;
  LanguageBinding binding = {};
};

/// The command line of a flow program (`run`, `show`, …); returns the exit code. Never throws.
int run_command_line(const FlowProgram& program, int argc, char** argv);

}  // namespace gnu::visibility("default")]]metaflow
