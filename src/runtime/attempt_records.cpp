#include "runtime/attempt_records.hpp"

#include <algorithm>

#include <metaflow/error.hpp>

#include "base/json.hpp"
#include "datastore/artifacts.hpp"
#include "datastore/blob_store.hpp"
#include "runtime/internal_artifacts.hpp"
#include "runtime/origin_run.hpp"
#include "runtime/task_inputs.hpp"

namespace metaflow::runtime {
namespace {

/// The foreach-stack datum: `var=value` from outside in, up to the first empty value or 256 characters.
std::vector<std::string> foreach_values(const std::vector<ForeachFrame>& frames) {
  constexpr std::size_t longest = 256;
  std::vector<std::string> list;
  std::size_t length = 0;
  for (const auto& frame : frames) {
    if (!frame.value || frame.value->empty()) break;
    auto entry = frame.variable + '=' + *frame.value;
    length += entry.size();
    if (length > longest) break;
    list.push_back(std::move(entry));
  }
  return list;
}

datastore::TaskPath path_of(const TaskRequest& request) { return {request.run, request.step, request.task}; }

/// Why an attempt that is done did not end well.
Failure stored_failure(const ArtifactSource& source) {
  const auto reference = source.find("_exception");
  if (!reference) return {};
  const auto value = pickle::decode(source.load("_exception", *reference));
  return value.is_none() ? Failure() : detail::read_failure(value);
}

}  // namespace

metadata::RunRecord run_of(const std::string& flow, const TaskRequest& request) {
  metadata::RunRecord run;
  run.flow = flow;
  run.run = request.run;
  run.tags = {request.tags.begin(), request.tags.end()};
  return run;
}

metadata::Datum attempt_datum(const TaskRequest& request, std::string field, std::string value) {
  metadata::Datum datum;
  datum.field = std::move(field);
  datum.value = std::move(value);
  datum.attempt = request.attempt;
  return datum;
}

std::vector<metadata::Datum> first_data(const TaskRequest& request, const std::vector<ForeachFrame>& frames,
                                        const Stores& stores) {
  const auto datum = [&](std::string field, std::string value) {
    return attempt_datum(request, std::move(field), std::move(value));
  };
  std::vector<metadata::Datum> data = {datum("attempt", std::to_string(request.attempt)),
                                       datum("ds-type", std::string(stores.objects.type())),
                                       datum("ds-root", stores.objects.root())};
  if (request.origin_run_id) data.push_back(datum("origin-run-id", *request.origin_run_id));
  if (const auto values = foreach_values(frames); !values.empty()) {
    data.push_back(datum("foreach-stack", {}));
    data.back().json = json_list(values);
  }
  if (!frames.empty()) data.push_back(datum("foreach-execution-path", foreach_execution_path(frames)));
  if (request.is_control()) data.push_back(datum("internal_task_type", "control_task"));
  if (request.num_parallel) {
    data.push_back(datum("parallel-world-size", {}));
    data.back().json = std::to_string(*request.num_parallel);
  }
  return data;
}

void record_done(const metadata::RunRecord& run, const TaskRequest& request, const datastore::ArtifactTable& artifacts,
                 const Stores& stores) {
  stores.metadata.add_artifacts(run, request.step, request.task, request.attempt, recorded_artifacts(artifacts),
                                std::string(stores.objects.type()), stores.objects.root());
  stores.metadata.add_data(run, request.step, request.task,
                           {attempt_datum(request, "attempt-done", std::to_string(request.attempt))});
}

void register_remote_attempt(const model::Flow& flow, const TaskRequest& request, const Stores& stores) {
  const datastore::TaskStore tasks(stores.objects, flow.name);
  const datastore::BlobStore blobs(stores.objects, flow.name);
  const TaskInputs inputs(tasks, blobs, flow.name, request.input_paths, nullptr);
  const auto& step = *std::ranges::find(flow.steps, request.step, &model::Step::name);
  stores.metadata.add_task(run_of(flow.name, request), request.step, request.task, request.created_ms,
                           first_data(request, foreach_stack_of(flow, step, request, inputs), stores));
}

std::optional<TaskOutcome> take_over_remote_attempt(const model::Graph& graph, const TaskRequest& request,
                                                    const Stores& stores) {
  const auto& flow = graph.flow().name;
  const datastore::TaskStore tasks(stores.objects, flow);
  const auto artifacts = tasks.read(path_of(request), request.attempt);
  if (!artifacts) return std::nullopt;
  record_done(run_of(flow, request), request, *artifacts, stores);
  if (auto task = read_attempt(graph, path_of(request), request.attempt, stores)) return std::move(task->outcome);
  const datastore::BlobStore blobs(stores.objects, flow);
  TaskOutcome failed;
  failed.failure = stored_failure(*datastore::make_artifact_source(blobs, flow, path_of(request), *artifacts));
  return failed;
}

}  // namespace metaflow::runtime
