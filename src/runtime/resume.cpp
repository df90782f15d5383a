#include "runtime/resume.hpp"

#include <metaflow/error.hpp>

#include <algorithm>
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

/// Finds the task of the origin that a planned one was there.
class TaskIndex {
 public:
  explicit TaskIndex(const std::vector<OriginTask>& tasks) {
    for (std::size_t i = 0; i < tasks.size(); ++i)
      places_.emplace(Identity(tasks[i].step, tasks[i].foreach_indices, tasks[i].iteration), i);
  }

  /// Its place among the tasks; nothing when it is not finished.
  std::optional<std::size_t> find(const PlannedTask& planned) const {
    const auto found = places_.find({planned.step, foreach_indices(planned), planned.iteration});
    return found == places_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  using Identity = std::tuple<std::size_t, std::vector<std::int64_t>, std::uint32_t>;
  std::map<Identity, std::size_t> places_;
};

[[noreturn]] void refuse_transition(const model::Graph& graph, const OriginTask& task) {
  const auto& step = graph.step(task.step);
  throw Error(
      ErrorCode::invalid,
      fmt::format("Step {} went on to [{}] in run {}, but leads to [{}] in this program, in a way that does not fit. "
                  "Execute it again with 'resume {}'.",
                  step.name, fmt::join(task.outcome.next, ", "), task.path.run, fmt::join(step.next, ", "), step.name));
}

[[noreturn]] void refuse_width(const model::Graph& graph, const PlannedTask& child, int max_num_splits) {
  throw Error(ErrorCode::invalid,
              fmt::format("The foreach before step {} has more than {} of its {} child steps left to run, but {} are "
                          "allowed. Raise the limit with --max-num-splits.",
                          graph.step(child.step).name, max_num_splits, child.branching->values.size(), max_num_splits),
              "Step failure");
}

/// Which of the tasks are reached from the first step over finished ones: any other would start from nothing.
std::set<std::size_t> reachable(const model::Graph& graph, const std::vector<OriginTask>& tasks, int max_num_splits) {
  std::set<std::size_t> reached;
  std::map<const Branching*, int> left;  // children of foreaches that are not finished
  const TaskIndex index(tasks);
  Plan plan(graph);
  plan.replay([&](const PlannedTask& planned) -> std::optional<KnownEnd> {
    const auto place = index.find(planned);
    if (!place) {
      if (planned.enters_foreach && ++left[planned.branching.get()] > max_num_splits)
        refuse_width(graph, planned, max_num_splits);
      return std::nullopt;
    }
    const auto& task = tasks[*place];
    if (!plan.accepts(task.step, task.outcome)) refuse_transition(graph, task);
    reached.insert(*place);
    return KnownEnd{0, &task.outcome};
  });
  return reached;
}

/// The tasks to be taken over, in the order in which they get their ids. One of the last step comes last, as it makes
/// the run look finished.
std::vector<OriginTask> selected(const model::Graph& graph, std::vector<OriginTask> tasks, int max_num_splits) {
  std::vector<OriginTask> kept;
  for (const auto place : reachable(graph, tasks, max_num_splits)) kept.push_back(std::move(tasks[place]));
  std::stable_partition(kept.begin(), kept.end(), [&](const OriginTask& task) { return task.step != graph.end(); });
  return kept;
}

/// Of the task at this place of those taken over.
std::uint64_t new_id(std::size_t place) { return place + 1; }

/// Grows from task to task, as lists are ordered by it.
std::int64_t new_created_ms(const metadata::RunRecord& run, std::uint64_t id) {
  return run.created_ms + static_cast<std::int64_t>(id);
}

metadata::Datum datum(std::string field, std::string value) {
  return {.field = std::move(field), .value = std::move(value), .attempt = 0};
}

/// Writes the tasks of the new run that are taken over.
class Cloner {
 public:
  /// All references outlive it.
  Cloner(const OriginRun& origin, const metadata::RunRecord& run, Stores stores, Clock& clock, RunLog& run_log,
         bool clone_only)
      : origin_(origin),
        run_(run),
        stores_(stores),
        clock_(clock),
        run_log_(run_log),
        clone_only_(clone_only),
        tasks_(stores.objects, run.flow) {}

  /// Stops early when interrupted.
  void clone_all(const model::Graph& graph, const Interrupted& interrupted) {
    run_line(fmt::format("Cloning {}/{}", run_.flow, origin_.id));
    clone_parameters_task(graph, origin_.parameters, run_, stores_, clock_);
    const auto count = origin_.tasks.size();
    const auto before_end = count - (count > 0 && origin_.tasks.back().step == graph.end() ? 1 : 0);
    try {
      produce_in_order(
          before_end, [&](std::size_t place) { clone(place); },
          [&](std::size_t place) {
            tell(place);
            if (interrupted()) throw Error(ErrorCode::cancelled, "interrupted");
          });
    } catch (const Error& error) {
      if (error.code() != ErrorCode::cancelled) throw;
      return;
    }
    for (auto place = before_end; place < count; ++place) {
      clone(place);
      tell(place);
    }
    run_line(fmt::format("{}/{} cloned!", run_.flow, origin_.id));
  }

 private:
  datastore::TaskPath path_of(std::size_t place) const {
    return {run_.run, origin_.tasks[place].path.step, std::to_string(new_id(place))};
  }

  /// It is done only once all of it is written.
  void clone(std::size_t place) {
    const auto& task = origin_.tasks[place];
    const auto path = path_of(place);
    tasks_.start_attempt(path, 0, static_cast<double>(clock_.now_microseconds()) / 1e6);
    stores_.metadata.add_task(run_, path.step, path.task, new_created_ms(run_, new_id(place)));
    stores_.metadata.add_data(run_, path.step, path.task, data_of(task));
    tasks_.finish(path, 0, task.artifacts);
    stores_.metadata.add_artifacts(run_, path.step, path.task, 0, recorded_artifacts(task.artifacts),
                                   std::string(stores_.objects.type()), stores_.objects.root());
    stores_.metadata.add_data(run_, path.step, path.task, {datum("attempt-done", "0")});
  }

  std::vector<metadata::Datum> data_of(const OriginTask& task) const {
    std::vector<metadata::Datum> data = {datum("attempt", "0"), datum("origin-run-id", origin_.id),
                                         datum("origin-task-id", task.path.task)};
    // Official leaves it to the origin, but its client then finds no parents of joins.
    if (!task.foreach_execution_path.empty())
      data.push_back(datum("foreach-execution-path", task.foreach_execution_path));
    return data;
  }

  void tell(std::size_t place) {
    constexpr std::size_t lines_at_once = 100;
    const auto from = origin_.tasks[place].path.text(), to = path_of(place).text();
    if (clone_only_)
      run_line(fmt::format("Cloning task from {0}/{1} to {0}/{2}", run_.flow, from, to));
    else
      run_log_.task_line(clock_.now_microseconds(), to, "Cloning previously run task " + from, Tone::system);
    if (place % lines_at_once == 0) run_log_.flush();
  }

  void run_line(const std::string& text) { run_log_.run_line(clock_.now_microseconds(), text, Tone::system); }

  const OriginRun& origin_;
  const metadata::RunRecord& run_;
  Stores stores_;
  Clock& clock_;
  RunLog& run_log_;
  bool clone_only_;
  datastore::TaskStore tasks_;
};

/// The new run once all is taken over.
Beginning behind(const model::Graph& graph, const OriginRun& origin, const metadata::RunRecord& run) {
  const auto& tasks = origin.tasks;
  Beginning beginning{.plan = Plan(graph),
                      .last_task = tasks.size(),
                      .last_created_ms = new_created_ms(run, tasks.size()),
                      .done = std::vector<std::uint64_t>(graph.size()),
                      .origin_run_id = origin.id};
  const TaskIndex index(tasks);
  beginning.plan.replay([&](const PlannedTask& planned) -> std::optional<KnownEnd> {
    const auto place = index.find(planned);
    if (!place) return std::nullopt;
    ++beginning.done[planned.step];
    return KnownEnd{new_id(*place), &tasks[*place].outcome};
  });
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
  // Before the origin is read: the new run relies on what it finds there.
  const auto held = hold_flow(stores, program.flow.name, datastore::IfAbsent::pass);
  say_what_is_read(program.flow.name, resume.origin_run, clock);
  auto origin = read_origin_run(graph, resume.origin_run, rerun, stores);
  require_parameters(program.flow, origin);
  origin.tasks = selected(graph, std::move(origin.tasks), options.max_num_splits);
  return conduct_run(
      program, options, stores, launcher, clock,
      [&](const metadata::RunRecord& run, RunLog& run_log, const Interrupted& interrupted) -> std::optional<Beginning> {
        announce_run(run_log, clock, run);
        Cloner(origin, run, stores, clock, run_log, resume.clone_only).clone_all(graph, interrupted);
        if (resume.clone_only) return std::nullopt;
        auto beginning = behind(graph, origin, run);
        origin.tasks = {};  // large, and not needed while the run goes on
        return beginning;
      });
}

}  // namespace metaflow::runtime
