#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <metaflow/task.hpp>

#include "datastore/artifacts.hpp"
#include "datastore/blob_store.hpp"
#include "datastore/task_store.hpp"
#include "runtime/launcher.hpp"

namespace metaflow::runtime {

class SharedInput;

/// What a finished task left.
struct OpenedTask {
  datastore::ArtifactTable artifacts;
  std::unique_ptr<ArtifactSource> source;
};
/// Throws Error(not_found) when that task is not finished. `blobs` outlives what is returned.
std::shared_ptr<const OpenedTask> open_task(const datastore::TaskStore& tasks, const datastore::BlobStore& blobs,
                                            const std::string& flow_name, const datastore::TaskPath& path);

/// The finished tasks that a task starts from, each opened when first asked for. Safe to use from several threads.
class TaskInputs {
 public:
  /// All but `input_paths` outlive it; `shared` may be null. Throws Error(usage) for input paths that cannot be read as
  /// such.
  TaskInputs(const datastore::TaskStore& tasks, const datastore::BlobStore& blobs, std::string flow_name,
             std::string_view input_paths, const SharedInput* shared);

  std::size_t count() const noexcept { return paths_.size(); }
  /// Throws Error(not_found) when that task is not finished.
  const ArtifactSource& source(std::size_t i) const;
  const datastore::ArtifactTable& artifacts(std::size_t i) const;
  const datastore::TaskPath& path(std::size_t i) const { return paths_[i]; }

 private:
  const OpenedTask& opened(std::size_t i) const;
  std::shared_ptr<const OpenedTask> open(std::size_t i) const;
  void read_ahead(std::size_t first) const;

  const datastore::TaskStore& tasks_;
  const datastore::BlobStore& blobs_;
  std::string flow_name_;
  std::vector<datastore::TaskPath> paths_;
  const SharedInput* shared_;
  mutable std::mutex mutex_;  // guards opened_
  mutable std::vector<std::shared_ptr<const OpenedTask>> opened_;
};

/// Foreach frames around the task that `request` describes, from those of its inputs.
std::vector<ForeachFrame> foreach_stack_of(const model::Flow& flow, const model::Step& step, const TaskRequest& request,
                                           const TaskInputs& inputs);
/// Whether display texts of foreach items are stored: METAFLOW_INCLUDE_FOREACH_STACK is not switched off.
bool tells_foreach_items();
/// Text of the datum `foreach-execution-path`, by which clients find parents and children: `item:2,leaf:0`.
std::string foreach_execution_path(const std::vector<ForeachFrame>& frames);
/// How often a step that may lead to itself has run before: `[n]`; empty for all others.
std::vector<std::int64_t> iteration_stack_of(const model::Step& step, const TaskInputs& inputs);

}  // namespace metaflow::runtime
