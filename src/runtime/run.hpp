#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <metaflow/task.hpp>

#include "base/clock.hpp"
#include "datastore/flow_lock.hpp"
#include "metadata/metadata.hpp"
#include "runtime/launcher.hpp"
#include "storage/object_store.hpp"

namespace metaflow::runtime {

/// What the user asked for on the command line of `run`, `resume` or `spin`.
struct RunOptions {
  int max_workers = 16;
  int max_num_splits = 100;
  /// How long after its `@timeout` an attempt is killed: for bodies that end themselves when it is over.
  std::chrono::seconds timeout_grace{0};
  std::uint64_t max_log_bytes = 10'000'000;  ///< per stream and attempt
  std::set<std::string> tags = {};
  std::string name_space = {};  ///< for client calls inside the run; empty: global
  std::string run_id_file = {}, runner_attribute_file = {};
  std::string metadata = "local";  ///< where the run is recorded, as the official client takes it: `local@/data`
  std::optional<std::string> run_id = {};  ///< to be taken, instead of one made from the time
  bool reopens_run = false;                ///< take up the run of that id if there is one
  bool retry_delay = false;    ///< wait before a retry as long as the step's `@retry` says, instead of not at all
  std::string script = {};     ///< how this program is called, for commands that the user may type next
  std::string only_step = {};  ///< `spin`: all that is executed is one task of this step; empty: the whole flow

  bool is_spin() const { return !only_step.empty(); }
};

/// Where a run's records go. All outlive the run.
struct Stores {
  storage::ObjectStore& objects;
  metadata::Metadata& metadata;
};

/// Holds what the flow has stored against `metaflow gc`; says on standard error when it has to wait for that.
datastore::FlowLock hold_flow(const Stores& stores, const std::string& flow, datastore::IfAbsent if_absent);

/// A value for one entry of Flow::parameters, in that order.
using ParameterValues = std::vector<Encoded>;

/// Runs the flow to its end and returns the exit code: 0, or 1 when it failed or was interrupted.
/// Writes the run log to standard output and the final error block to standard error; handles SIGINT, SIGTERM and
/// SIGHUP meanwhile. Error when the run is over and standard output did not take all of the log, unless its reader left.
int run_flow(const FlowProgram& program, const RunOptions& options, const ParameterValues& parameters, Stores stores,
             Launcher& launcher, Clock& clock);

}  // namespace metaflow::runtime
