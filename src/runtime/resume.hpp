#pragma once

#include <optional>
#include <string>

#include "runtime/run.hpp"

namespace metaflow::runtime {

/// What the user asked for on the command line of `resume`.
struct ResumeOptions {
  std::string origin_run;                ///< id of the run to take up
  std::optional<std::string> step = {};  ///< to be executed again, with all that comes after it
  bool clone_only = false;               ///< execute nothing
  /// Of several processes that resume into one run (RunOptions::reopens_run), who this one is: the first clones, also when
  /// it is started again, and the others wait until it is done.
  std::optional<std::string> identifier = {};
};

/// A new run that takes over what is finished of an earlier run, by this engine or by official Metaflow, and executes
/// the rest. Parameters come from the earlier run; `latest_run` stays. Returns the exit code, as run_flow does.
/// Throws Error before anything is written: not_found for an unknown run or step, corrupt when the earlier run cannot be
/// read, invalid when it does not fit this program.
int resume_flow(const FlowProgram& program, const RunOptions& options, const ResumeOptions& resume, Stores stores,
                Launcher& launcher, Clock& clock);

}  // namespace metaflow::runtime
