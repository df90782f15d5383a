#include "runtime/parameters_task.hpp"

#include <metaflow/pickle.hpp>

#include "datastore/blob_store.hpp"
#include "datastore/task_store.hpp"
#include "model/graph_info.hpp"
#include "runtime/internal_artifacts.hpp"

namespace metaflow::runtime {
namespace {

datastore::ArtifactTable store_all(const model::Graph& graph, const ParameterValues& parameters,
                                   datastore::BlobStore& blobs) {
  std::vector<NamedArtifact> values;
  const auto add = [&](const std::string& name, Encoded value) { values.push_back({name, std::move(value)}); };
  const auto info = model::graph_info(graph);
  add("name", encode_text(graph.flow().name));
  add("_graph_info", pickle::encode(info));
  add("_success", encode_boolean(true));
  add("_task_ok", encode_boolean(true));
  add("_transition", encode_none());
  add("_foreach_stack", encode_foreach_stack({}));
  for (const auto& constant : graph.flow().constants) {
    Encoded value{.pickle = {}, .type = constant.type};
    value.pickle.borrow(std::as_bytes(std::span(constant.pickle)));
    add(constant.name, std::move(value));
  }
  std::vector<const Pieces*> pickles;
  for (const auto& value : values) pickles.push_back(&value.value.pickle);
  for (const auto& parameter : parameters) pickles.push_back(&parameter.pickle);
  const auto keys = blobs.put_all(pickles);
  datastore::ArtifactTable table;
  const auto set = [&](const std::string& name, const std::string& key, const Encoded& value) {
    table[name] = {.key = key, .type = value.type, .size = value.pickle.size()};
  };
  for (std::size_t i = 0; i < values.size(); ++i) set(values[i].name, keys[i], values[i].value);
  for (std::size_t i = 0; i < parameters.size(); ++i)
    set(graph.flow().parameters[i].attribute, keys[values.size() + i], parameters[i]);
  return table;
}

metadata::Datum endpoint(const char* field, const std::string& step) {
  metadata::Datum datum;
  datum.field = field;
  datum.value = step;
  datum.type = "graph_structure";
  return datum;
}

datastore::TaskPath begin(const metadata::RunRecord& run, datastore::TaskStore& tasks, Stores stores, Clock& clock) {
  const datastore::TaskPath path{run.run, "_parameters", "0"};
  tasks.start_attempt(path, 0, static_cast<double>(clock.now_microseconds()) / 1e6);
  stores.metadata.add_task(run, path.step, path.task, run.created_ms, {});
  return path;
}

void finish(const datastore::TaskPath& path, const model::Graph& graph, const datastore::ArtifactTable& table,
            const metadata::RunRecord& run, datastore::TaskStore& tasks, Stores stores) {
  tasks.finish(path, 0, table);
  stores.metadata.add_artifacts(run, path.step, path.task, 0, recorded_artifacts(table),
                                std::string(stores.objects.type()), stores.objects.root());
  metadata::Datum done;
  done.field = "attempt-done";
  done.value = "0";
  done.attempt = 0;
  stores.metadata.add_data(
      run, path.step, path.task,
      {endpoint("start_step", graph.start_name()), endpoint("end_step", graph.end_name()), std::move(done)});
}

}  // namespace

void write_parameters_task(const model::Flow& flow, const ParameterValues& parameters, const metadata::RunRecord& run,
                           Stores stores, Clock& clock) {
  const model::Graph graph(flow);
  datastore::BlobStore blobs(stores.objects, flow.name);
  datastore::TaskStore tasks(stores.objects, flow.name);
  const auto path = begin(run, tasks, stores, clock);
  finish(path, graph, store_all(graph, parameters, blobs), run, tasks, stores);
}

void clone_parameters_task(const model::Graph& graph, const datastore::ArtifactTable& artifacts,
                           const metadata::RunRecord& run, Stores stores, Clock& clock) {
  datastore::TaskStore tasks(stores.objects, graph.flow().name);
  const auto path = begin(run, tasks, stores, clock);
  finish(path, graph, artifacts, run, tasks, stores);
}

}  // namespace metaflow::runtime
