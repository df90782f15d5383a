#include "runtime/resume.hpp"

#include <metaflow/error.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <thread>
#include <tuple>

#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/json.hpp"
#include "base/parallel.hpp"
#include "datastore/blob_store.hpp"
#include "runtime/conduct.hpp"
#include "runtime/gang.hpp"
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

  /// Its place among the tasks, or those of all nodes of a gang, in their order; none when it is not finished.
  std::vector<std::size_t> find(const PlannedTask& planned) const {
    std::vector<std::size_t> found;
    for (const auto& node : nodes_of(planned)) {
      const auto place = places_.find({node.step, foreach_indices(node), node.iteration});
      if (place == places_.end()) return {};
      found.push_back(place->second);
    }
    return found;
  }
  /// Place of the control task of the gang that this task is a node of.
  std::size_t control_of(const OriginTask& node) const {
    auto indices = node.foreach_indices;
    indices.back() = 0;
    return places_.at({node.step, indices, node.iteration});
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
  plan.replay([&](const PlannedTask& planned) {
    std::vector<KnownEnd> ends;
    for (const auto place : index.find(planned)) {
      const auto& task = tasks[place];
      if (!plan.accepts(task.step, task.outcome)) refuse_transition(graph, task);
      reached.insert(place);
      ends.push_back({0, &task.outcome});
    }
    if (ends.empty() && planned.enters == Enters::foreach && ++left[planned.branching.get()] > max_num_splits)
      refuse_width(graph, planned, max_num_splits);
    return ends;
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

/// Ids of the tasks taken over, by their places: 1, 2, … and so on, while the nodes of a gang share the number of its
/// control task.
class NewIds {
 public:
  explicit NewIds(const std::vector<OriginTask>& tasks) : tasks_(tasks), numbers_(tasks.size()) {
    for (std::size_t i = 0; i < tasks.size(); ++i)
      if (node(i) == 0) numbers_[i] = ++last_;
    const TaskIndex index(tasks);
    for (std::size_t i = 0; i < tasks.size(); ++i)
      if (node(i) != 0) numbers_[i] = numbers_[index.control_of(tasks[i])];
    sizes_.resize(last_ + 1);
    for (const auto number : numbers_) ++sizes_[number];
  }

  std::uint64_t number(std::size_t place) const { return numbers_[place]; }
  std::string id(std::size_t place) const { return node_task_id(std::to_string(numbers_[place]), node(place)); }
  std::uint64_t last() const { return last_; }
  /// Nodes of the gang that the task at this place leads; 0 when it leads none.
  std::int64_t led_by(std::size_t place) const {
    return tasks_[place].is_node && node(place) == 0 ? sizes_[numbers_[place]] : 0;
  }

 private:
  std::int64_t node(std::size_t place) const {
    return tasks_[place].is_node ? tasks_[place].foreach_indices.back() : 0;
  }

  const std::vector<OriginTask>& tasks_;
  std::vector<std::uint64_t> numbers_;
  std::vector<std::int64_t> sizes_;  // tasks of each number
  std::uint64_t last_ = 0;
};

/// Of the task at this place. Grows from task to task, as lists are ordered by it.
std::int64_t new_created_ms(const metadata::RunRecord& run, std::size_t place) {
  return run.created_ms + static_cast<std::int64_t>(place) + 1;
}

metadata::Datum datum(std::string field, std::string value) {
  return {.field = std::move(field), .value = std::move(value), .attempt = 0};
}

/// Writes the tasks of the new run that are taken over.
class Cloner {
 public:
  /// All references outlive it.
  Cloner(const OriginRun& origin, const metadata::RunRecord& run, Stores stores, Clock& clock, RunLog& run_log,
         const ResumeOptions& options)
      : origin_(origin),
        run_(run),
        stores_(stores),
        clock_(clock),
        run_log_(run_log),
        clone_only_(options.clone_only),
        reopened_(options.identifier.has_value()),
        ids_(origin.tasks),
        tasks_(stores.objects, run.flow),
        blobs_(stores.objects, run.flow) {}

  /// Stops early when interrupted.
  void clone_all(const model::Graph& graph, const Interrupted& interrupted) {
    run_line(fmt::format("Cloning {}/{}", run_.flow, origin_.id));
    if (!is_done("_parameters", "0")) clone_parameters_task(graph, origin_.parameters, run_, stores_, clock_);
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
    return {run_.run, origin_.tasks[place].path.step, ids_.id(place)};
  }

  /// By an earlier process that cloned into the same run.
  bool is_done(const std::string& step, const std::string& task) const {
    return reopened_ && !stores_.metadata.done_attempts(run_.flow, run_.run, step, task).empty();
  }

  /// It is done only once all of it is written.
  void clone(std::size_t place) {
    const auto& task = origin_.tasks[place];
    const auto path = path_of(place);
    if (is_done(path.step, path.task)) return;
    tasks_.start_attempt(path, 0, static_cast<double>(clock_.now_microseconds()) / 1e6);
    stores_.metadata.add_task(run_, path.step, path.task, new_created_ms(run_, place), data_of(task));
    const auto artifacts = artifacts_of(place);
    tasks_.finish(path, 0, artifacts);
    stores_.metadata.add_artifacts(run_, path.step, path.task, 0, recorded_artifacts(artifacts),
                                   std::string(stores_.objects.type()), stores_.objects.root());
    stores_.metadata.add_data(run_, path.step, path.task, {datum("attempt-done", "0")});
  }

  /// Those of the origin, but that a control task names the nodes of its gang as they are called here: the official
  /// `resume` of this run looks for them there.
  datastore::ArtifactTable artifacts_of(std::size_t place) {
    auto artifacts = origin_.tasks[place].artifacts;
    if (const auto nodes = ids_.led_by(place)) {
      const auto value = encode_texts(node_paths(path_of(place), nodes));
      artifacts["_control_mapper_tasks"] = {
          .key = blobs_.put(value.pickle), .type = value.type, .size = value.pickle.size()};
    }
    return artifacts;
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
  bool clone_only_, reopened_;
  NewIds ids_;
  datastore::TaskStore tasks_;
  datastore::BlobStore blobs_;
};

/// Which of several processes that resume into one run clones: the one whose identifier stands in a file that is made
/// only once, beside the parameters. Another file says that it is done.
class CloneLeader {
 public:
  CloneLeader(const metadata::RunRecord& run, std::string identifier, Stores stores, RunLog& run_log, Clock& clock)
      : folder_(run.flow + '/' + run.run + "/_parameters/0/"),
        identifier_(std::move(identifier)),
        objects_(stores.objects),
        run_log_(run_log),
        clock_(clock) {}

  /// Whether it is for this process to clone: otherwise that is done, or interrupted.
  bool elect(const Interrupted& interrupted) {
    std::string text;
    append_json_string(text, identifier_);
    objects_.create(folder_ + "_resume_leader", pieces(text));
    const auto leader = objects_.get(folder_ + "_resume_leader");
    const bool leads = leader && leader->text() == text;
    tell(fmt::format("Resume leader is {}.", leader ? std::string(leader->text()) : "nobody"));
    if (!leads) wait(interrupted);
    if (!is_done()) return leads;
    tell("All is cloned.");
    return false;
  }
  void finish() { objects_.put(folder_ + "_resume_done", pieces("true")); }

 private:
  static Pieces pieces(std::string text) {
    Pieces pieces;
    pieces.own(std::move(text));
    return pieces;
  }
  bool is_done() const { return objects_.has(folder_ + "_resume_done"); }
  void tell(const std::string& text) {
    run_log_.run_line(clock_.now_microseconds(), text, Tone::system);
    run_log_.flush();
  }

  /// The leader may be on another machine: nothing but the store tells.
  void wait(const Interrupted& interrupted) const {
    constexpr std::int64_t longest_us = 3'600'000'000;
    const auto until = clock_.now_microseconds() + longest_us;
    while (!is_done() && !interrupted()) {
      if (clock_.now_microseconds() > until)
        throw Error(ErrorCode::unavailable,
                    "The resume leader has not cloned all within an hour. Start it again with its identifier.",
                    "Resume failed");
      // An object store, or a folder shared over a network, announces nothing.
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
  }

  const std::string folder_, identifier_;
  storage::ObjectStore& objects_;
  RunLog& run_log_;
  Clock& clock_;
};

/// The new run once all is taken over.
Beginning behind(const model::Graph& graph, const OriginRun& origin, const metadata::RunRecord& run) {
  const auto& tasks = origin.tasks;
  const NewIds ids(tasks);
  Beginning beginning{.plan = Plan(graph),
                      .next_task = ids.last() + 1,
                      .last_created_ms = new_created_ms(run, tasks.size()),
                      .done = std::vector<std::uint64_t>(graph.size()),
                      .origin_run_id = origin.id};
  const TaskIndex index(tasks);
  beginning.plan.replay([&](const PlannedTask& planned) {
    std::vector<KnownEnd> ends;
    for (const auto place : index.find(planned)) ends.push_back({ids.number(place), &tasks[place].outcome});
    beginning.done[planned.step] += ends.size();
    return ends;
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
        std::optional<CloneLeader> leader;
        if (resume.identifier) leader.emplace(run, *resume.identifier, stores, run_log, clock);
        if (leader && !leader->elect(interrupted)) return std::nullopt;
        Cloner(origin, run, stores, clock, run_log, resume).clone_all(graph, interrupted);
        if (leader && !interrupted()) leader->finish();
        if (resume.clone_only) return std::nullopt;
        auto beginning = behind(graph, origin, run);
        origin.tasks = {};  // large, and not needed while the run goes on
        return beginning;
      });
}

}  // namespace metaflow::runtime
