#include "runtime/origin_run.hpp"

#include <metaflow/error.hpp>
#include <metaflow/pickle.hpp>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include "base/parallel.hpp"
#include "datastore/artifacts.hpp"
#include "datastore/blob_store.hpp"
#include "runtime/gang.hpp"
#include "runtime/internal_artifacts.hpp"
#include "runtime/task_inputs.hpp"

namespace metaflow::runtime {
namespace {

/// Values that most tasks share, such as True for `_task_ok`, by key. Safe to use from several threads.
class SharedValues {
 public:
  std::optional<Value> find(const std::string& key) const {
    const std::scoped_lock lock(mutex_);
    const auto found = values_.find(key);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
  }
  void keep(const std::string& key, const Value& value) {
    const std::scoped_lock lock(mutex_);
    values_.emplace(key, value);
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Value> values_;  // guarded by mutex_
};

/// Says what it was that could not be understood.
template <class Read>
auto understood(const std::string& what, Read read) -> decltype(read()) {
  try {
    return read();
  } catch (const Error& error) {
    throw Error(ErrorCode::corrupt, what + " is damaged: " + error.what());
  }
}

/// Order of ids: `2`, `2_node_1`, `10`; those that begin with no number last.
struct IdOrder {
  std::uint64_t number = std::numeric_limits<std::uint64_t>::max();
  std::string_view rest;

  explicit IdOrder(std::string_view id) : rest(id) {
    const auto [end, problem] = std::from_chars(id.data(), id.data() + id.size(), number);
    if (problem == std::errc()) rest.remove_prefix(static_cast<std::size_t>(end - id.data()));
  }
  auto operator<=>(const IdOrder&) const = default;
};

class Reader {
 public:
  Reader(const model::Graph& graph, std::string run, Stores stores)
      : graph_(graph), run_(std::move(run)), tasks_(stores.objects, flow()), blobs_(stores.objects, flow()) {}

  OriginRun read(const std::set<std::size_t>& left_out) {
    OriginRun origin{.id = run_, .parameters = read_parameters(), .tasks = {}};
    const auto candidates = list_tasks(left_out);
    std::vector<datastore::TaskPath> paths;
    for (const auto& candidate : candidates) paths.push_back({run_, graph_.step(candidate.step).name, candidate.task});
    auto tables = tasks_.read_all(paths);
    std::vector<std::optional<OriginTask>> found(candidates.size());
    for_each_index(candidates.size(), [&](std::size_t i) {
      if (tables[i]) found[i] = understand(candidates[i].step, paths[i], *std::move(tables[i]));
    });
    for (auto& task : found)
      if (task) origin.tasks.push_back(std::move(*task));
    return origin;
  }

  std::optional<OriginTask> read_attempt(const datastore::TaskPath& task, int attempt) {
    auto artifacts = tasks_.read(task, attempt);
    return artifacts ? understand(graph_.at(task.step), task, std::move(*artifacts)) : std::nullopt;
  }

 private:
  struct Candidate {
    std::size_t step;
    std::string task;
  };

  const std::string& flow() const { return graph_.flow().name; }

  datastore::ArtifactTable read_parameters() const {
    for (const auto& task : tasks_.tasks(run_, "_parameters"))
      if (auto table = tasks_.read({run_, "_parameters", task})) return std::move(*table);
    throw Error(ErrorCode::not_found,
                fmt::format("Resume could not find run id {} of {}: it does not exist here, or it ended before its "
                            "first task could start.",
                            run_, flow()),
                "Flow failed");
  }

  std::vector<Candidate> list_tasks(const std::set<std::size_t>& left_out) const {
    std::vector<Candidate> candidates;
    for (const auto step : graph_.topological_order())
      if (!left_out.contains(step))
        for (auto& task : tasks_.tasks(run_, graph_.step(step).name)) candidates.push_back({step, std::move(task)});
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return IdOrder(a.task) < IdOrder(b.task); });
    return candidates;
  }

  /// Nothing for a task that did not end well.
  std::optional<OriginTask> understand(std::size_t step, const datastore::TaskPath& path,
                                       datastore::ArtifactTable artifacts) {
    OriginTask task;
    task.path = path;
    task.step = step;
    task.artifacts = std::move(artifacts);
    const auto source = datastore::make_artifact_source(blobs_, flow(), task.path, task.artifacts);
    if (!artifact(*source, "_task_ok", [](const Value& value) { return value.as_boolean(); })) return std::nullopt;
    for (const auto& frame : source->foreach_stack()) task.foreach_indices.push_back(frame.index);
    task.is_node = !source->foreach_stack().empty() && source->foreach_stack().back().variable == gang_variable;
    task.foreach_execution_path = foreach_execution_path(source->foreach_stack());
    if (source->find("_iteration_stack"))
      task.iteration = artifact(*source, "_iteration_stack", [](const Value& value) {
        return value.items().empty() ? 0U : static_cast<std::uint32_t>(value.items().back().as_integer());
      });
    task.outcome = read_outcome(*source);
    return task;
  }

  TaskOutcome read_outcome(const ArtifactSource& source) {
    TaskOutcome outcome{.succeeded = true};
    const auto variable = artifact(source, "_transition", [&](const Value& value) {
      if (value.is_none()) return std::string();
      for (const auto& next : value[0].items()) outcome.next.emplace_back(next.as_text());
      return value[1].is_none() ? std::string() : std::string(value[1].as_text());
    });
    if (variable == gang_variable)
      outcome.num_parallel = artifact(source, gang_variable, [](const Value& value) { return num_parallel_of(value); });
    else if (!variable.empty())
      outcome.foreach_values = read_foreach_values(source);
    return outcome;
  }

  /// Empty for a split whose width official Metaflow does not know beforehand.
  std::vector<std::string> read_foreach_values(const ArtifactSource& source) {
    constexpr std::int64_t most = 10'000'000;  // more than any scheduler gets through
    const auto splits = artifact(source, "_foreach_num_splits", [](const Value& value) {
      const auto count = value.is_none() ? 0 : value.as_integer();
      if (count < 0 || count > most) throw Error(ErrorCode::corrupt, value.str() + " is no number of splits");
      return static_cast<std::size_t>(count);
    });
    // Official Metaflow can be told to leave the display texts out.
    std::vector<std::string> texts(splits);
    if (!source.find("_foreach_values")) return texts;
    return artifact(source, "_foreach_values", [&](const Value& value) {
      if (value.is_none()) return texts;
      for (std::size_t i = 0; i < splits; ++i) texts[i] = value[i].str();
      return texts;
    });
  }

  /// `read` of the artifact's value.
  template <class Read>
  auto artifact(const ArtifactSource& source, std::string_view name, Read read) -> decltype(read(Value())) {
    const auto what = fmt::format("Artifact '{}' of {}/{}", name, flow(), source.task_pathspec());
    const auto reference = source.find(name);
    if (!reference) throw Error(ErrorCode::corrupt, what + " is missing, so that the run cannot be resumed.");
    auto value = values_.find(reference->key);
    if (!value) {
      auto bytes = source.load(name, *reference);
      value = understood(what, [&] { return pickle::decode(std::move(bytes)); });
      values_.keep(reference->key, *value);
    }
    return understood(what, [&] { return read(*value); });
  }

  const model::Graph& graph_;
  const std::string run_;
  datastore::TaskStore tasks_;
  datastore::BlobStore blobs_;
  SharedValues values_;
};

}  // namespace

OriginRun read_origin_run(const model::Graph& graph, const std::string& run, const std::set<std::size_t>& left_out,
                          Stores stores) {
  return Reader(graph, run, stores).read(left_out);
}

std::optional<OriginTask> read_attempt(const model::Graph& graph, const datastore::TaskPath& task, int attempt,
                                       Stores stores) {
  return Reader(graph, task.run, stores).read_attempt(task, attempt);
}

}  // namespace metaflow::runtime
