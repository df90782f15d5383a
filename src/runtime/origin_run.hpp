#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "datastore/task_store.hpp"
#include "model/graph.hpp"
#include "runtime/launcher.hpp"
#include "runtime/run.hpp"

namespace metaflow::runtime {

/// A task that ended well in the run being resumed.
struct OriginTask {
  datastore::TaskPath path;
  std::size_t step = 0;  ///< index in Flow::steps
  std::vector<std::int64_t> foreach_indices;
  std::string foreach_execution_path;  ///< empty outside of foreaches
  bool is_node = false;                ///< of a gang: the last of foreach_indices is its number
  std::uint32_t iteration = 0;
  datastore::ArtifactTable artifacts;
  TaskOutcome outcome;
};

/// The run being resumed, as far as it can be taken over.
struct OriginRun {
  std::string id;
  datastore::ArtifactTable parameters;  ///< of the pseudo-task `_parameters`
  std::vector<OriginTask> tasks;        ///< in the order in which their ids were given out
};

/// Reads what is done of a run, by this engine or by official Metaflow; steps in `left_out` (indices in Flow::steps) are
/// not looked at. Each file is read once, several tasks at a time. Error(not_found) when there is no such run or its
/// parameters were never stored; Error(corrupt) that names the file or artifact when it is damaged.
OriginRun read_origin_run(const model::Graph& graph, const std::string& run, const std::set<std::size_t>& left_out,
                          Stores stores);

/// The same of one attempt, of any run; nothing when it is not done or did not end well.
std::optional<OriginTask> read_attempt(const model::Graph& graph, const datastore::TaskPath& task, int attempt,
                                       Stores stores);

}  // namespace metaflow::runtime
