#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cli/invocation.hpp"
#include "compute/launchers.hpp"
#include "runtime/run.hpp"

/// What the commands that execute steps, `run`, `resume` and `spin`, have in common.
namespace metaflow::cli {

/// Those of `run` and `resume`.
void add_execution_options(Command& command, const FlowProgram& program);
/// `--max-log-size`, and the files that say which run it is.
void add_record_options(Command& command);
/// `--isolation`, which make_launcher() asks for; `otherwise` is its default.
void add_isolation_option(Command& command, std::string otherwise);
/// Of the command, the configuration and the program, in order of precedence: each adds what the ones before did not.
std::vector<std::string> all_decospecs(const Invocation& invocation);

/// This program, as it is started again for one task of the flow, whose stores are below `roots`.
compute::StepProgram step_program(const Invocation& invocation, const Roots& roots);
/// Starts each task as `--isolation` says: by what `make_forks` makes, or as `program`. With METAFLOW_DEBUG_SUBCOMMAND
/// the command line of each is shown, whichever way it is started. To be called before anything large is in memory, and
/// before any thread.
std::unique_ptr<runtime::Launcher> make_launcher(const Invocation& invocation, compute::StepProgram program,
                                                 const std::function<std::unique_ptr<runtime::Launcher>()>& make_forks);

/// A flow whose tasks can be started.
class Execution {
 public:
  /// To be made before anything large is in memory, and before any thread: each task starts as a copy of this process.
  /// `invocation` outlives it.
  Execution(const Invocation& invocation, Roots roots);
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  const FlowProgram& program() const { return program_; }
  /// Where runs of the flow are recorded.
  OpenedStores make_stores() const { return OpenedStores(roots_, program_.binding.system_tags); }
  const Roots& roots() const { return roots_; }
  runtime::Launcher& launcher() { return *launcher_; }

 private:
  const FlowProgram& program_;
  Roots roots_;
  std::unique_ptr<runtime::Launcher> launcher_;
};

/// What the flow's language has to say about the processes of its tasks.
compute::ProcessHooks process_hooks(const FlowProgram& program);

/// Those of add_execution_options, for a run recorded below `records`; client calls inside the run see `name_space`.
runtime::RunOptions run_options(const Invocation& invocation, const std::string& records, std::string name_space);
/// Those of add_record_options alone.
runtime::RunOptions record_options(const Invocation& invocation, const std::string& records, std::string name_space);

}  // namespace metaflow::cli
