#pragma once

#include "base/clock.hpp"
#include "datastore/task_store.hpp"
#include "model/graph.hpp"
#include "runtime/run.hpp"

namespace metaflow::runtime {

/// Writes the pseudo-task `<run>/_parameters/0`, from which the first step starts: parameters, constants and the
/// description of the flow. `parameters` in the order of Flow::parameters.
void write_parameters_task(const model::Flow& flow, const ParameterValues& parameters, const metadata::RunRecord& run,
                           Stores stores, Clock& clock);
/// The same with the artifacts that the run being resumed has there.
void clone_parameters_task(const model::Graph& graph, const datastore::ArtifactTable& artifacts,
                           const metadata::RunRecord& run, Stores stores, Clock& clock);

}  // namespace metaflow::runtime
