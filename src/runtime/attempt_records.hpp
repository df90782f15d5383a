#pragma once

#include <optional>
#include <vector>

#include "datastore/task_store.hpp"
#include "model/graph.hpp"
#include "runtime/launcher.hpp"
#include "runtime/run.hpp"

/// What the metadata is told of an attempt, by whoever executes it; or, of one that ran on another machine, from here.
namespace metaflow::runtime {

/// The run of a request, as far as records of its tasks need it.
metadata::RunRecord run_of(const std::string& flow, const TaskRequest& request);

/// A datum of the attempt.
metadata::Datum attempt_datum(const TaskRequest& request, std::string field, std::string value);

/// The data that an attempt starts with. `frames` are the foreach frames around it.
std::vector<metadata::Datum> first_data(const TaskRequest& request, const std::vector<ForeachFrame>& frames,
                                        const Stores& stores);

/// The pointers of an attempt that is done, and the mark that says so.
void record_done(const metadata::RunRecord& run, const TaskRequest& request, const datastore::ArtifactTable& artifacts,
                 const Stores& stores);

/// For an attempt that runs on another machine, whose own records stay there: makes the first ones.
void register_remote_attempt(const model::Flow& flow, const TaskRequest& request, const Stores& stores);

/// What such an attempt has left, and its last records. Nothing when it is not done. Error(corrupt) when what it left cannot be read.
std::optional<TaskOutcome> take_over_remote_attempt(const model::Graph& graph, const TaskRequest& request,
                                                    const Stores& stores);

}  // namespace metaflow::runtime
