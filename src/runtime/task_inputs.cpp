#include "runtime/task_inputs.hpp"

#include <metaflow/error.hpp>
#include <metaflow/pickle.hpp>

#include <algorithm>

#include <fmt/format.h>

#include "base/configuration.hpp"
#include "model/graph.hpp"
#include "runtime/gang.hpp"
#include "runtime/input_paths.hpp"
#include "runtime/shared_input.hpp"

namespace metaflow::runtime {
namespace {

/// `read` of the artifact's value; what it does not understand is said with the artifact's name.
template <class Read>
auto read_artifact(const ArtifactSource& source, std::string_view name, Read read) -> decltype(read(Value())) {
  const auto reference = source.find(name);
  if (!reference)
    throw Error(ErrorCode::corrupt, fmt::format("Task {} has no artifact {}.", source.task_pathspec(), name));
  auto pickle = source.load(name, *reference);
  try {
    return read(pickle::decode(std::move(pickle)));
  } catch (const Error& error) {
    throw Error(ErrorCode::corrupt,
                fmt::format("Artifact {} of task {} is damaged: {}", name, source.task_pathspec(), error.what()));
  }
}

std::string text_in(const ArtifactSource& source, std::string_view name) {
  return read_artifact(source, name, [](const Value& value) { return std::string(value.as_text()); });
}

/// Whether there is a frame that ends with this join: one of a foreach or a gang.
bool closes_frame(const model::Flow& flow, const model::Step& step) {
  const model::Graph graph(flow);
  const auto split = graph.matching_split(graph.at(step.name));
  return split && graph.step(*split).transition != model::Transition::split;
}

std::string foreach_artifact_of(const model::Flow& flow, const std::string& name) {
  const auto step = std::ranges::find(flow.steps, name, &model::Step::name);
  return step == flow.steps.end() ? std::string() : step->foreach_artifact;
}

ForeachFrame entered_frame(const model::Flow& flow, const TaskRequest& request, const ArtifactSource& split) {
  const auto index = *request.split_index;
  ForeachFrame frame;
  frame.step = request.step;
  frame.index = index;
  if (tells_foreach_items()) frame.value = request.split_value;
  if (request.num_parallel) {
    frame.variable = gang_variable;
    return frame;
  }
  if (request.split_value && request.split_count) {  // told by the scheduler: nothing has to be read
    frame.variable = foreach_artifact_of(flow, split.step_name());
    frame.num_splits = request.split_count;
    return frame;
  }
  frame.variable = text_in(split, "_foreach_var");
  frame.num_splits = read_artifact(split, "_foreach_num_splits", [](const Value& value) { return value.as_integer(); });
  if (index < 0 || index >= *frame.num_splits)
    throw Error(ErrorCode::usage, fmt::format("Split index {} is not among the {} splits of task {}.", index,
                                              *frame.num_splits, split.task_pathspec()));
  if (!frame.value && tells_foreach_items())
    frame.value = read_artifact(split, "_foreach_values", [&](const Value& value) {
      return value.is_none() ? std::nullopt
                             : std::optional<std::string>(value[static_cast<std::size_t>(index)].as_text());
    });
  return frame;
}

std::shared_ptr<const OpenedTask> opened_task(const datastore::BlobStore& blobs, const std::string& flow_name,
                                              const datastore::TaskPath& path, datastore::ArtifactTable artifacts) {
  auto source = datastore::make_artifact_source(blobs, flow_name, path, artifacts);
  return std::make_shared<const OpenedTask>(OpenedTask{std::move(artifacts), std::move(source)});
}

}  // namespace

std::shared_ptr<const OpenedTask> open_task(const datastore::TaskStore& tasks, const datastore::BlobStore& blobs,
                                            const std::string& flow_name, const datastore::TaskPath& path) {
  auto artifacts = tasks.read(path);
  if (!artifacts)
    throw Error(ErrorCode::not_found,
                fmt::format("Task {}/{} is not finished, so nothing can start from it.", flow_name, path.text()));
  return opened_task(blobs, flow_name, path, *std::move(artifacts));
}

TaskInputs::TaskInputs(const datastore::TaskStore& tasks, const datastore::BlobStore& blobs, std::string flow_name,
                       std::string_view input_paths, const SharedInput* shared)
    : tasks_(tasks), blobs_(blobs), flow_name_(std::move(flow_name)), shared_(shared) {
  for (const auto& path : decode_input_paths(input_paths)) paths_.push_back(datastore::parse_task_path(path));
  opened_.resize(paths_.size());
}

const OpenedTask& TaskInputs::opened(std::size_t i) const {
  const std::scoped_lock lock(mutex_);
  auto& slot = opened_.at(i);
  if (!slot && i > 0 && opened_[i - 1]) read_ahead(i);
  if (!slot) slot = open(i);
  return *slot;
}

std::shared_ptr<const OpenedTask> TaskInputs::open(std::size_t i) const {
  auto task = shared_ ? shared_->find(paths_[i]) : nullptr;
  return task ? task : open_task(tasks_, blobs_, flow_name_, paths_[i]);
}

/// For a join that goes over its inputs in order: opens the next ones all at once.
void TaskInputs::read_ahead(std::size_t first) const {
  constexpr std::size_t most = 256;
  const auto paths = std::span(paths_).subspan(first, std::min(most, paths_.size() - first));
  try {
    auto tables = tasks_.read_all(paths);
    for (std::size_t i = 0; i < paths.size(); ++i)
      if (tables[i]) opened_[first + i] = opened_task(blobs_, flow_name_, paths[i], *std::move(tables[i]));
  } catch (const Error&) {
    // Told when the body asks for the one that cannot be read; perhaps it never does.
  }
}

const ArtifactSource& TaskInputs::source(std::size_t i) const { return *opened(i).source; }
const datastore::ArtifactTable& TaskInputs::artifacts(std::size_t i) const { return opened(i).artifacts; }

std::vector<ForeachFrame> foreach_stack_of(const model::Flow& flow, const model::Step& step, const TaskRequest& request,
                                           const TaskInputs& inputs) {
  auto frames = inputs.source(0).foreach_stack();
  if (request.split_index) frames.push_back(entered_frame(flow, request, inputs.source(0)));
  if (step.takes == model::Takes::branches && closes_frame(flow, step)) {
    if (frames.empty())
      throw Error(ErrorCode::internal, "Step " + step.name + " joins a foreach, but its inputs are in none.");
    frames.pop_back();
  }
  return frames;
}

bool tells_foreach_items() {
  // Read once, for all tasks in the process that forks them: each would look for the same files.
  static const bool tells = Configuration::read().flag("INCLUDE_FOREACH_STACK");
  return tells;
}

std::string foreach_execution_path(const std::vector<ForeachFrame>& frames) {
  std::string path;
  for (const auto& frame : frames) path += fmt::format("{}{}:{}", path.empty() ? "" : ",", frame.step, frame.index);
  return path;
}

std::vector<std::int64_t> iteration_stack_of(const model::Step& step, const TaskInputs& inputs) {
  if (std::find(step.next.begin(), step.next.end(), step.name) == step.next.end()) return {};
  if (inputs.path(0).step != step.name) return {0};
  return read_artifact(inputs.source(0), "_iteration_stack", [](const Value& before) {
    return std::vector<std::int64_t>{before[before.size() - 1].as_integer() + 1};
  });
}

}  // namespace metaflow::runtime
