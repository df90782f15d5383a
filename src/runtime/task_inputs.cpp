#include "runtime/task_inputs.hpp"

#include <metaflow/error.hpp>
#include <metaflow/pickle.hpp>

#include <algorithm>

#include <fmt/format.h>

#include "model/graph.hpp"
#include "runtime/gang.hpp"
#include "runtime/input_paths.hpp"

namespace metaflow::runtime {
namespace {

Value load(const ArtifactSource& source, std::string_view name) {
  const auto reference = source.find(name);
  if (!reference)
    throw Error(ErrorCode::corrupt, fmt::format("Task {} has no artifact {}.", source.task_pathspec(), name));
  return pickle::decode(source.load(name, *reference));
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
  frame.value = request.split_value;
  if (request.num_parallel) {
    frame.variable = gang_variable;
    return frame;
  }
  if (request.split_value && request.split_count) {  // told by the scheduler: nothing has to be read
    frame.variable = foreach_artifact_of(flow, split.step_name());
    frame.num_splits = request.split_count;
    return frame;
  }
  frame.variable = std::string(load(split, "_foreach_var").as_text());
  frame.num_splits = load(split, "_foreach_num_splits").as_integer();
  if (index < 0 || index >= *frame.num_splits)
    throw Error(ErrorCode::usage, fmt::format("Split index {} is not among the {} splits of task {}.", index,
                                              *frame.num_splits, split.task_pathspec()));
  if (!frame.value)
    frame.value = std::string(load(split, "_foreach_values").items()[static_cast<std::size_t>(index)].as_text());
  return frame;
}

}  // namespace

TaskInputs::TaskInputs(const datastore::TaskStore& tasks, const datastore::BlobStore& blobs, std::string flow_name,
                       std::string_view input_paths)
    : tasks_(tasks), blobs_(blobs), flow_name_(std::move(flow_name)) {
  for (const auto& path : decode_input_paths(input_paths)) paths_.push_back(datastore::parse_task_path(path));
  opened_.resize(paths_.size());
}

const TaskInputs::Opened& TaskInputs::opened(std::size_t i) const {
  const std::scoped_lock lock(mutex_);
  auto& slot = opened_.at(i);
  if (!slot) {
    auto artifacts = tasks_.read(paths_[i]);
    if (!artifacts)
      throw Error(ErrorCode::not_found, fmt::format("Task {}/{} is not finished, so nothing can start from it.",
                                                    flow_name_, paths_[i].text()));
    auto source = datastore::make_artifact_source(blobs_, flow_name_, paths_[i], *artifacts);
    slot = std::make_unique<Opened>(Opened{std::move(*artifacts), std::move(source)});
  }
  return *slot;
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

std::string foreach_execution_path(const std::vector<ForeachFrame>& frames) {
  std::string path;
  for (const auto& frame : frames) path += fmt::format("{}{}:{}", path.empty() ? "" : ",", frame.step, frame.index);
  return path;
}

std::vector<std::int64_t> iteration_stack_of(const model::Step& step, const TaskInputs& inputs) {
  if (std::find(step.next.begin(), step.next.end(), step.name) == step.next.end()) return {};
  if (inputs.path(0).step != step.name) return {0};
  const auto before = load(inputs.source(0), "_iteration_stack");
  return {before.items().back().as_integer() + 1};
}

}  // namespace metaflow::runtime
