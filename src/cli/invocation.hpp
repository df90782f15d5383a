#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <metaflow/task.hpp>

#include "cli/arguments.hpp"
#include "cli/console.hpp"
#include "metadata/metadata.hpp"
#include "runtime/run.hpp"
#include "storage/object_store.hpp"

namespace metaflow::cli {

/// One start of a flow program: what was asked for, and whom to talk to.
struct Invocation {
  FlowProgram program;  ///< as it is to be executed, once `prepare_flow` has been called
  std::string script;   ///< as it was started, for hints the user can type
  Console console = {};
  Arguments top = {};       ///< options before the command
  Arguments own = {};       ///< options and arguments of the command
  bool starts_run = false;  ///< `run`, `resume`, `spin`: what is configured is checked first

  const std::string& flow_name() const { return program.flow.name; }
};

/// The options every command shares, and those of the flow's own.
Command top_level_options(const FlowProgram& program);

/// `Metaflow <version> executing <Flow> for <identity>`.
void show_banner(const Invocation& invocation);

/// Where runs are recorded, and where what they store lies.
struct Roots {
  std::string records;  ///< a folder
  std::string objects;  ///< the same folder, or an s3:// URL

  bool is_local() const { return records == objects; }
};
/// The folder of both.
inline Roots local_roots(const std::string& folder) { return {folder, folder}; }

/// Those that the options name, with `--mode spin` of spun tasks; says once when they belong to somebody else. With `announce`, says that a new
/// folder will be made. Error(usage) for a kind that is not available.
Roots find_roots(const Invocation& invocation, bool announce);
/// Those of spun tasks; says when new ones will be made.
Roots find_spin_roots(const Invocation& invocation);
/// What the official client has to be given to see the records below this root: `local@/data/proj`.
std::string metadata_description(const std::string& root);

/// Records and results.
class OpenedStores {
 public:
  /// Runs that are created get `more_system_tags`.
  explicit OpenedStores(const Roots& roots, const std::vector<std::string>& more_system_tags = {});
  storage::ObjectStore& objects() { return *objects_; }
  metadata::Metadata& metadata() { return *metadata_; }
  runtime::Stores both() { return {*objects_, *metadata_}; }

 private:
  std::unique_ptr<storage::ObjectStore> objects_;
  std::unique_ptr<metadata::Metadata> metadata_;
};

/// The parts of `a/b/c`; none at all when one of them is empty, `.` or `..`.
std::vector<std::string> split_path(std::string_view text);

/// `run/step` or `run/step/task`.
struct InputPath {
  std::string run, step;
  std::string task;  ///< empty: all of the step
};
InputPath parse_input_path(const std::string& text);

/// Whether one task id was given out before another.
bool comes_before(const std::string& id, const std::string& other);
/// Task ids in the order they were given out.
void sort_task_ids(std::vector<std::string>& ids);

}  // namespace metaflow::cli
