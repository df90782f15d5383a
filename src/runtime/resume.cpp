#include "runtime/resume.hpp"

#include <metaflow/error.hpp>

#include <map>
#include <set>
#include <tuple>

#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/parallel.hpp"
#include "runtime/conduct.hpp"
#include "runtime/internal_artifacts.hpp"
#include "runtime/origin_run.hpp"
#include "runtime/parameters_task.hpp"

namespace metaflow::runtime {
namespace {

/// The step and all its descendants; nothing without a step.
std::set<std::size_t> steps_to_rerun(const model::Graph& graph, const std::optional<std::string>& step) {
  std::set<std::size_t> steps;
  if (!step) return steps;
  if (!graph.find(*step)) {
    std::vector<std::string> names;
    for (const auto i : graph.topological_order()) names.push_back(graph.step(i).name);
    throw Error(ErrorCode::not_found,
                fmt::format("{} has no step '{}' to resume from; its steps are: {}.", graph.flow().name, *step,
                            fmt::join(names, ", ")),
                "Invalid command");
  }
  steps.insert(graph.at(*step));
  for (const auto i : graph.topological_order())
    if (steps.contains(i)) steps.insert(graph.successors(i).begin(), graph.successors(i).end());
  return steps;
}

void require_parameters(const model::Flow& flow, const OriginRun& origin) {
  for (const auto& parameter : flow.parameters)
    if (!origin.parameters.contains(parameter.attribute))
      throw Error(ErrorCode::invalid,
                  fmt::format("Run {}/{} has no value for parameter '{}', which this program has. Parameters come from "
                              "the run that is resumed; start a new run instead.",
                              flow.name, origin.id, parameter.name));
}

/// Which tasks of the origin are taken over, and under which ids.
class Selection {
 public:
  /// Leaves only those tasks in `origin` that are taken over. Both references outlive it.
  Selection(const model::Graph& graph, OriginRun& origin, int max_num_splits) : graph_(graph), origin_(origin) {
    index_tasks();
    drop_unreachable(max_num_splits);
    index_tasks();
  }

  /// The first is 1, in the order in which the origin launched them.
  std::uint64_t id_of(std::size_t i) const { return i + 1; }

  /// A plan that is as far as the origin was.
  Plan plan() const {
    Plan plan(graph_);
    plan.replay([&](const PlannedTask& planned) -> std::optional<KnownEnd> {
      const auto found = find(planned);
      if (!found) return std::nullopt;
      return KnownEnd{id_of(*found), &origin_.tasks[*found].outcome};
    });
    return plan;
  }

 private:
  using Identity = std::tuple<std::size_t, std::vector<std::int64_t>, std::uint32_t>;

  void index_tasks() {
    index_.clear();
    for (std::size_t i = 0; i < origin_.tasks.size(); ++i) {
      const auto& task = origin_.tasks[i];
      index_.emplace(Identity(task.step, task.foreach_indices, task.iteration), i);
    }
  }

  std::optional<std::size_t> find(const PlannedTask& planned) const {
    const auto found = index_.find({planned.step, foreach_indices(planned), planned.iteration});
    return found == index_.end() ? std::nullopt : std::optional(found->second);
  }

  /// A task whose predecessor is not taken over would start from nothing.
  void drop_unreachable(int max_num_splits) {
    std::set<std::size_t> reached;
    std::map<const Branching*, std::size_t> waiting;
    Plan plan(graph_);
    plan.replay([&](const PlannedTask& planned) -> std::optional<KnownEnd> {
      const auto found = find(planned);
      if (!found) {
        if (planned.enters_foreach) check_width(planned, ++waiting[planned.branching.get()], max_num_splits);
        return std::nullopt;
      }
      const auto& task = origin_.tasks[*found];
      if (!plan.accepts(task.step, task.outcome)) refuse_transition(task);
      reached.insert(*found);
      return KnownEnd{0, &task.outcome};
    });
    std::vector<OriginTask> kept;
    for (const auto i : reached) kept.push_back(std::move(origin_.tasks[i]));
    origin_.tasks = std::move(kept);
  }

  void check_width(const PlannedTask& planned, std::size_t count, int max_num_splits) const {
    if (count <= static_cast<std::size_t>(max_num_splits)) return;
    throw Error(
        ErrorCode::invalid,
        fmt::format("The foreach before step {} has more than {} of its {} child steps left to run, but {} are "
                    "allowed. Raise the limit with --max-num-splits.",
                    graph_.step(planned.step).name, max_num_splits, planned.branching->values.size(), max_num_splits),
        "Step failure");
  }

  [[noreturn]] void refuse_transition(const OriginTask& task) const {
    const auto& step = graph_.step(task.step);
    throw Error(
        ErrorCode::invalid,
        fmt::format("Step {} went on to [{}] in run {}, but leads to [{}] in this program, in a way that does "
                    "not fit. Execute it again with 'resume {}'.",
                    step.name, fmt::join(task.outcome.next, ", "), origin_.id, fmt::join(step.next, ", "), step.name));
  }

  const model::Graph& graph_;
  OriginRun& origin_;
  std::map<Identity, std::size_t> index_;  // into origin_.tasks
};

/// Writes the tasks of the new run that are taken over.
class Cloner {
 public:
  Cloner(const OriginRun& origin, const metadata::RunRecord& run, Stores stores, Clock& clock)
      : origin_(origin), run_(run), stores_(stores), clock_(clock), tasks_(stores.objects, run.flow) {}

  /// Each is done only once all of it is written.
  void clone(const OriginTask& task, std::uint64_t id) {
    const datastore::TaskPath path{run_.run, task.path.step, std::to_string(id)};
    tasks_.start_attempt(path, 0, static_cast<double>(clock_.now_microseconds()) / 1e6);
    stores_.metadata.add_task(run_, path.step, path.task, created_ms(run_, id));
    stores_.metadata.add_data(run_, path.step, path.task, data_of(task));
    tasks_.finish(path, 0, task.artifacts);
    stores_.metadata.add_artifacts(run_, path.step, path.task, 0, recorded_artifacts(task.artifacts),
                                   std::string(stores_.objects.type()), stores_.objects.root());
    stores_.metadata.add_data(run_, path.step, path.task, {datum("attempt-done", "0")});
  }

  /// Grows from task to task, as lists are ordered by it.
  static std::int64_t created_ms(const metadata::RunRecord& run, std::uint64_t id) {
    return run.created_ms + static_cast<std::int64_t>(id);
  }

 private:
  std::vector<metadata::Datum> data_of(const OriginTask& task) const {
    std::vector<metadata::Datum> data = {datum("attempt", "0"), datum("origin-run-id", origin_.id),
                                         datum("origin-task-id", task.path.task)};
    // Official leaves it to the origin, but its client then finds no parents of joins.
    if (!task.foreach_execution_path.empty())
      data.push_back(datum("foreach-execution-path", task.foreach_execution_path));
    return data;
  }
  static metadata::Datum datum(std::string field, std::string value) {
    return {.field = std::move(field), .value = std::move(value), .attempt = 0};
  }

  const OriginRun& origin_;
  const metadata::RunRecord& run_;
  Stores stores_;
  Clock& clock_;
  datastore::TaskStore tasks_;
};

/// Writes all of the new run that is taken over; stops early when interrupted.
void clone_all(const model::Graph& graph, const OriginRun& origin, const Selection& selection,
               const metadata::RunRecord& run, Stores stores, Clock& clock, RunLog& run_log,
               const ResumeOptions& resume, const Interrupted& interrupted) {
  constexpr std::size_t lines_at_once = 100;
  const auto origin_name = run.flow + '/' + origin.id;
  run_log.run_line(clock.now_microseconds(), "Cloning " + origin_name, Tone::system);
  clone_parameters_task(graph, origin.parameters, run, stores, clock);
  Cloner cloner(origin, run, stores, clock);
  const auto clone = [&](std::size_t i) { cloner.clone(origin.tasks[i], selection.id_of(i)); };
  const auto tell = [&](std::size_t i) {
    const auto from = origin.tasks[i].path.text();
    const auto to = fmt::format("{}/{}/{}", run.run, origin.tasks[i].path.step, selection.id_of(i));
    if (resume.clone_only)
      run_log.run_line(clock.now_microseconds(),
                       fmt::format("Cloning task from {0}/{1} to {0}/{2}", run.flow, from, to), Tone::system);
    else
      run_log.task_line(clock.now_microseconds(), to, "Cloning previously run task " + from, Tone::system);
    if (i % lines_at_once == 0) run_log.flush();
    if (interrupted()) throw Error(ErrorCode::cancelled, "interrupted");
  };
  try {
    produce_in_order(origin.tasks.size(), clone, tell);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::cancelled) throw;
    return;
  }
  run_log.run_line(clock.now_microseconds(), origin_name + " cloned!", Tone::system);
}

Beginning behind(const model::Graph& graph, const OriginRun& origin, const Selection& selection,
                 const metadata::RunRecord& run) {
  Beginning beginning{.plan = selection.plan(),
                      .last_task = origin.tasks.size(),
                      .last_created_ms = Cloner::created_ms(run, origin.tasks.size()),
                      .done = std::vector<std::uint64_t>(graph.size()),
                      .origin_run_id = origin.id};
  for (const auto& task : origin.tasks) ++beginning.done[task.step];
  return beginning;
}

void say_what_is_read(const std::string& flow, const std::string& run, Clock& clock) {
  RunLog(STDOUT_FILENO)
      .run_line(clock.now_microseconds(),
                fmt::format("Reading what is finished of {}/{} (long runs take a moment)", flow, run), Tone::system);
}

}  // namespace

int resume_flow(const FlowProgram& program, const RunOptions& options, const ResumeOptions& resume, Stores stores,
                Launcher& launcher, Clock& clock) {
  const model::Graph graph(program.flow);
  const auto rerun = steps_to_rerun(graph, resume.step);
  say_what_is_read(program.flow.name, resume.origin_run, clock);
  auto origin = read_origin_run(graph, resume.origin_run, rerun, stores);
  require_parameters(program.flow, origin);
  const Selection selection(graph, origin, options.max_num_splits);
  return conduct_run(
      program, options, stores, launcher, clock,
      [&](const metadata::RunRecord& run, RunLog& run_log, const Interrupted& interrupted) -> std::optional<Beginning> {
        announce_run(run_log, clock, run);
        clone_all(graph, origin, selection, run, stores, clock, run_log, resume, interrupted);
        if (resume.clone_only) return std::nullopt;
        return behind(graph, origin, selection, run);
      });
}

}  // namespace metaflow::runtime
