#include "runtime/task_attempt.hpp"

#include <metaflow/error.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/json.hpp"
#include "base/system_error.hpp"
#include "datastore/artifacts.hpp"
#include "datastore/blob_store.hpp"
#include "datastore/task_store.hpp"
#include "model/step_settings.hpp"
#include "runtime/attempt_records.hpp"
#include "runtime/failures.hpp"
#include "runtime/gang.hpp"
#include "runtime/internal_artifacts.hpp"
#include "runtime/task_inputs.hpp"

namespace metaflow::runtime {
namespace {

using datastore::ArtifactTable;
using model::Transition;

/// A folder that is made when somebody asks for it, and goes when the attempt does. Most tasks never ask; thousands of
/// folders made and removed would slow every new file on ext4, which passes over each inode freed in the last seconds.
class TemporaryFolder {
 public:
  /// `path` is where it is to be made; empty: anywhere.
  explicit TemporaryFolder(std::string path) : wanted_(std::move(path)) {}
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  /// Safe to call from several threads.
  const std::string& path() {
    std::call_once(made_, [this] {
      auto name = wanted_.empty() ? (std::filesystem::temp_directory_path() / "metaflow-XXXXXX").string() : wanted_;
      const bool made = wanted_.empty() ? ::mkdtemp(name.data()) != nullptr : ::mkdir(name.c_str(), 0700) == 0;
      if (!made) throw system_error("cannot make a temporary folder " + name, errno);
      path_ = name;
    });
    return path_;
  }

 private:
  std::once_flag made_;
  std::string wanted_, path_;
};

bool is_read_only(const model::Flow& flow, std::string_view name) {
  return std::ranges::find(flow.parameters, name, &model::Parameter::attribute) != flow.parameters.end() ||
         std::ranges::find(flow.constants, name, &model::Constant::name) != flow.constants.end();
}

/// What a join may see before it has merged anything.
ArtifactTable common_artifacts(const model::Flow& flow, const ArtifactTable& first_input) {
  ArtifactTable table;
  const auto copy = [&](const std::string& name) {
    if (const auto found = first_input.find(name); found != first_input.end()) table.insert(*found);
  };
  for (const auto& parameter : flow.parameters) copy(parameter.attribute);
  for (const auto& constant : flow.constants) copy(constant.name);
  copy("_graph_info");
  return table;
}

/// The engine's side of a running body: what it starts from, and the table of what it leaves.
class AttemptContext final : public TaskContext {
 public:
  /// Without `blobs` nothing is stored: what the body leaves is forgotten.
  AttemptContext(const FlowProgram& program, const model::Step& step, datastore::BlobStore* blobs,
                 const datastore::BlobStore& input_blobs, const TaskInputs& inputs, Current current)
      : flow_(program.flow), blobs_(blobs), inputs_(inputs), current_(std::move(current)), process_(::getpid()) {
    if (step.takes == model::Takes::branches) {
      table_ = common_artifacts(program.flow, inputs.artifacts(0));
      common_ = datastore::make_artifact_source(input_blobs, program.flow.name, inputs.path(0), table_);
    } else {
      table_ = inputs.artifacts(0);
    }
  }

  const Current& current() const override { return current_; }
  const ArtifactSource& inherited() const override { return common_ ? *common_ : inputs_.source(0); }
  std::size_t input_count() const override { return inputs_.count(); }
  const ArtifactSource& input(std::size_t i) const override { return inputs_.source(i); }

  void store(std::span<const NamedArtifact> artifacts) override {
    leave_if_forked();
    std::vector<const Pieces*> pickles;
    for (const auto& artifact : artifacts) {
      require_changeable(artifact.name);
      pickles.push_back(&artifact.value.pickle);
    }
    if (blobs_ == nullptr) return;
    const auto keys = blobs_->put_all(pickles);
    for (std::size_t i = 0; i < keys.size(); ++i) set(artifacts[i].name, keys[i], artifacts[i].value);
  }
  void pass(std::string_view name, const ArtifactReference& reference) override {
    leave_if_forked();
    require_changeable(name);
    table_.insert_or_assign(std::string(name), reference);
  }
  void drop(std::string_view name) override {
    leave_if_forked();
    require_changeable(name);
    if (const auto found = table_.find(name); found != table_.end()) table_.erase(found);
  }

  /// For values of the engine's own, which are stored together by store_added().
  void add(std::string name, Encoded value) { added_.push_back({std::move(name), std::move(value)}); }
  void store_added() {
    if (blobs_ == nullptr) return;
    std::vector<const Pieces*> pickles;
    for (const auto& artifact : added_) pickles.push_back(&artifact.value.pickle);
    const auto keys = blobs_->put_all(pickles);
    for (std::size_t i = 0; i < keys.size(); ++i) set(added_[i].name, keys[i], added_[i].value);
    added_.clear();
  }
  const ArtifactTable& table() const noexcept { return table_; }

  /// A body may fork, and its child may come back from the body as well: it is not the task, and leaves nothing.
  void leave_if_forked() const {
    if (::getpid() == process_) return;
    std::fflush(nullptr);
    ::_exit(0);
  }

 private:
  void require_changeable(std::string_view name) const {
    if (!is_read_only(flow_, name)) return;
    throw Error(ErrorCode::invalid,
                fmt::format("step {} cannot change '{}': parameters and constants are the same for all steps",
                            current_.step_name, name),
                "Read-only artifact");
  }

  void set(const std::string& name, const std::string& key, const Encoded& value) {
    table_.insert_or_assign(name, ArtifactReference{.key = key, .type = value.type, .size = value.pickle.size()});
  }

  const model::Flow& flow_;
  datastore::BlobStore* blobs_;
  const TaskInputs& inputs_;
  Current current_;
  pid_t process_;
  ArtifactTable table_;
  std::vector<NamedArtifact> added_;
  std::unique_ptr<ArtifactSource> common_;  // joins only
};

/// The transition rules that only a running step can break.
std::optional<Failure> check_transition(const model::Step& step, const StepResult& result) {
  std::string message;
  if (step.transition == Transition::foreach && result.foreach_values.empty())
    message = fmt::format("Step {} loops over '{}', which has no items. A foreach needs at least one.", step.name,
                          step.foreach_artifact);
  if (step.transition == Transition::parallel && (result.num_parallel < 1 || result.num_parallel > model::max_parallel))
    message = fmt::format("Step {} asks for {} nodes by num_parallel, which takes between 1 and {}.", step.name,
                          result.num_parallel, model::max_parallel);
  if (step.transition == Transition::switch_on &&
      std::find(step.next.begin(), step.next.end(), result.chosen) == step.next.end())
    message =
        fmt::format("Step {} chose '{}', which is not among the steps its switch leads to.", step.name, result.chosen);
  if (message.empty()) return std::nullopt;
  auto headline = std::string("Invalid transition");
  if (!step.source_file.empty()) headline += " in file " + step.source_file;
  if (step.line > 0) headline += fmt::format(" on line {}", step.line);
  return Failure{"metaflow.exception.InvalidNextException", message, message, headline};
}

void set_environment(const model::Variables& variables) {
  for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
}

/// All of them or, with a failure, none.
std::optional<Failure> set_secrets(const model::StepSettings& settings) {
  for (const auto& source : settings.secrets)
    for (const auto& [name, value] : source.variables) {
      if (settings.secrets_override || std::getenv(name.c_str()) == nullptr) continue;
      const auto message = fmt::format(
          "The secret '{}' would set the environment variable {}, which is set already. Rename one of them, or set "
          "allow_override.",
          source.id, name);
      return Failure{"metaflow.exception.MetaflowException", message, message, "Secret not set"};
    }
  for (const auto& source : settings.secrets) set_environment(source.variables);
  return std::nullopt;
}

class TaskAttempt {
 public:
  TaskAttempt(const FlowProgram& program, const TaskRequest& request, Stores stores, const ForeignInputs& inputs,
              Clock& clock, const AwaitNodes& await_nodes, const SharedInput* shared)
      : program_(program),
        request_(request),
        stores_(stores),
        foreign_(inputs),
        clock_(clock),
        await_nodes_(await_nodes),
        step_index_(find_step()),
        step_(program.flow.steps[step_index_]),
        blobs_(stores.objects, program.flow.name),
        tasks_(stores.objects, program.flow.name),
        input_blobs_(inputs.objects, program.flow.name),
        input_tasks_(inputs.objects, program.flow.name),
        path_{request.run, request.step, request.task},
        inputs_(input_tasks_, input_blobs_, program.flow.name, request.input_paths, shared),
        settings_(model::step_settings(step_)),
        place_(place_in_gang(request)),
        run_(run_of(program.flow.name, request)) {}

  TaskOutcome execute() {
    if (inputs_.count() == 0)
      throw Error(ErrorCode::usage, "Step " + step_.name + " needs --input-paths: the tasks it starts from.");
    if (settings_.parallel != place_.has_value())
      throw Error(ErrorCode::usage, "Step " + step_.name +
                                        (place_ ? " is not parallel: leave out --ubf-context and --num-parallel."
                                                : " is parallel: it needs --ubf-context and --num-parallel."));
    auto frames = foreach_stack_of(program_.flow, step_, request_, inputs_);
    const auto iterations = iteration_stack_of(step_, inputs_);
    register_attempt(frames);
    TemporaryFolder folder(request_.temporary_folder);
    ::setenv("METAFLOW_RUN_ID", request_.run.c_str(), 1);
    ::setenv("METAFLOW_TASK_NAMESPACE", request_.name_space.c_str(), 1);  // for the client inside the step
    if (place_) set_environment(gang_environment(*place_));
    assume_inputs();
    AttemptContext context(program_, step_, foreign_.keeps_artifacts ? &blobs_ : nullptr, input_blobs_, inputs_,
                           make_current(std::move(frames), folder));
    auto result = run_body(context);
    context.leave_if_forked();
    if (!result.failure) result.failure = check_transition(step_, result);
    const auto caught = catch_failure(context, result);
    if (result.failure)
      print_failure(context.current(), *result.failure);
    else if (request_.is_control())
      await_nodes_();
    auto outcome = outcome_of(std::move(result));
    if (outcome.succeeded && settings_.caught) add_caught(context, caught);
    add_internal(context, outcome, iterations, !caught && outcome.succeeded);
    context.store_added();
    if (&foreign_.objects != &stores_.objects && foreign_.keeps_artifacts) adopt(context.table());
    const ArtifactTable nothing;
    finish(foreign_.keeps_artifacts ? context.table() : nothing);
    return outcome;
  }

 private:
  std::size_t find_step() const {
    const auto& steps = program_.flow.steps;
    for (std::size_t i = 0; i < steps.size(); ++i)
      if (steps[i].name == request_.step) return i;
    throw Error(ErrorCode::usage, fmt::format("Flow {} has no step named {}.", program_.flow.name, request_.step));
  }

  void register_attempt(const std::vector<ForeachFrame>& frames) {
    tasks_.start_attempt(path_, request_.attempt, static_cast<double>(clock_.now_microseconds()) / 1e6);
    stores_.metadata.add_task(run_, request_.step, request_.task, request_.created_ms,
                              first_data(request_, frames, stores_));
  }

  /// Much of what a task leaves, it was given.
  void assume_inputs() {
    if (&foreign_.objects != &stores_.objects) return;
    for (const auto& entry : inputs_.artifacts(0)) blobs_.assume(entry.second.key);
  }

  Current make_current(std::vector<ForeachFrame> frames, TemporaryFolder& folder) const {
    return {.flow_name = program_.flow.name,
            .run_id = request_.run,
            .step_name = request_.step,
            .task_id = request_.task,
            .retry_count = request_.attempt,
            .origin_run_id = request_.origin_run_id,
            .user_name = metadata::current_identity().user,
            .name_space = request_.name_space,
            .tags = request_.tags,
            .foreach_stack = std::move(frames),
            .parallel = place_,
            .max_user_code_retries = request_.max_user_code_retries,
            .temporary_folder = [&folder] { return folder.path(); }};
  }

  /// What came of the body, or what stands for it in an attempt that only stores a failure.
  StepResult run_body(AttemptContext& context) const {
    if (request_.failure) return {request_.failure, {}, {}};
    if (settings_.caught && request_.is_fallback()) return {unexplained_failure(request_.attempt), {}, {}};
    set_environment(settings_.environment);
    if (auto failure = set_secrets(settings_)) return {std::move(failure), {}, {}};
    return program_.run_step(step_index_, context);
  }

  /// Takes the failure out of `result` when `@catch` is to have it: once no attempt of the body is left.
  std::optional<Failure> catch_failure(const AttemptContext& context, StepResult& result) const {
    if (!settings_.caught || !result.failure || request_.attempt < request_.max_user_code_retries) return std::nullopt;
    if (settings_.caught->print_exception) print_caught(context.current(), *result.failure);
    return std::exchange(result.failure, std::nullopt);
  }

  void add_caught(AttemptContext& context, const std::optional<Failure>& caught) const {
    const auto& variable = settings_.caught->variable;
    if (caught) context.add("_catch_exception", encode_exception(*caught));
    if (!variable.empty()) context.add(variable, caught ? encode_exception(*caught) : encode_none());
  }

  TaskOutcome outcome_of(StepResult result) const {
    TaskOutcome outcome;
    outcome.failure = std::move(result.failure);
    outcome.succeeded = !outcome.failure;
    if (!outcome.succeeded) return outcome;
    outcome.next = step_.transition == Transition::switch_on ? std::vector{result.chosen} : step_.next;
    if (step_.transition == Transition::foreach) outcome.foreach_values = std::move(result.foreach_values);
    if (step_.transition == Transition::parallel) outcome.num_parallel = result.num_parallel;
    return outcome;
  }

  void add_internal(AttemptContext& context, const TaskOutcome& outcome, const std::vector<std::int64_t>& iterations,
                    bool without_exception) const {
    const bool is_foreach = !outcome.foreach_values.empty(), is_gang = outcome.num_parallel > 0;
    const auto variable = is_foreach ? step_.foreach_artifact : std::string(is_gang ? gang_variable : "");
    // Official has the flow's name under `name`; a flow may have an artifact or parameter of its own there.
    if (!context.table().contains("name")) context.add("name", encode_text(program_.flow.name));
    context.add("_current_step", encode_text(step_.name));
    context.add("_success", encode_boolean(without_exception));
    context.add("_task_ok", encode_boolean(outcome.succeeded));
    context.add("_exception", outcome.failure ? encode_exception(*outcome.failure) : encode_none());
    context.add("_transition", outcome.next.empty() ? encode_none() : encode_transition(outcome.next, variable));
    context.add("_foreach_stack", encode_foreach_stack(context.current().foreach_stack));
    context.add("_foreach_var", variable.empty() ? encode_none() : encode_text(variable));
    context.add("_foreach_num_splits",
                is_foreach ? encode_integer(static_cast<std::int64_t>(outcome.foreach_values.size())) : encode_none());
    if (is_foreach)
      context.add("_foreach_values", tells_foreach_items() ? encode_texts(outcome.foreach_values) : encode_none());
    if (is_gang) add_gang(context, outcome.num_parallel);
    if (request_.is_control()) add_nodes(context);
    context.add("_iteration_stack", encode_integers(iterations));
  }

  /// For the step before a gang: how many nodes there will be is not a number of splits to official Metaflow.
  static void add_gang(AttemptContext& context, std::int64_t nodes) {
    context.add("_foreach_values", encode_none());
    context.add("_unbounded_foreach", encode_boolean(true));
    context.add(std::string(gang_variable), encode_num_parallel(nodes));
  }

  /// By these the official `resume` finds the inputs of the join.
  void add_nodes(AttemptContext& context) const {
    context.add("_control_mapper_tasks", encode_texts(node_paths(path_, place_->num_nodes)));
    context.add("_control_task_is_mapper_zero", encode_boolean(true));
  }

  /// Takes over the values that are passed on but lie in the datastore of the inputs alone.
  void adopt(const ArtifactTable& table) {
    for (const auto& [name, reference] : table) {
      if (blobs_.has(reference.key)) continue;
      const auto value = inputs_.source(0).load(name, reference);
      Pieces pickle;
      pickle.borrow(value.span());
      blobs_.put(pickle);
    }
  }

  /// Readers take an attempt as done by DONE.lock or by attempt-done: each comes after all it vouches for.
  void finish(const ArtifactTable& table) {
    tasks_.finish(path_, request_.attempt, table);
    record_done(run_, request_, table, stores_);
  }

  const FlowProgram& program_;
  const TaskRequest& request_;
  Stores stores_;
  const ForeignInputs& foreign_;
  Clock& clock_;
  const AwaitNodes& await_nodes_;
  std::size_t step_index_;
  const model::Step& step_;
  datastore::BlobStore blobs_;
  datastore::TaskStore tasks_;
  datastore::BlobStore input_blobs_;
  datastore::TaskStore input_tasks_;
  datastore::TaskPath path_;
  TaskInputs inputs_;
  model::StepSettings settings_;
  std::optional<Parallel> place_;
  metadata::RunRecord run_;
};

}  // namespace

TaskOutcome execute_task(const FlowProgram& program, const TaskRequest& request, Stores stores, Clock& clock,
                         const AwaitNodes& await_nodes, const SharedInput* shared) {
  return TaskAttempt(program, request, stores, {.objects = stores.objects}, clock, await_nodes, shared).execute();
}

TaskOutcome execute_task(const FlowProgram& program, const TaskRequest& request, Stores stores,
                         const ForeignInputs& inputs, Clock& clock) {
  return TaskAttempt(program, request, stores, inputs, clock, {}, nullptr).execute();
}

}  // namespace metaflow::runtime
