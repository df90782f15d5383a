#pragma once

#include <memory>
#include <optional>

#include "datastore/blob_store.hpp"
#include "datastore/task_store.hpp"
#include "runtime/launcher.hpp"
#include "runtime/task_inputs.hpp"

namespace metaflow::runtime {

/// The task from which the tasks of one foreach start, read once by the process that forks them instead of once by each
/// of them. Not thread-safe: that process has one thread.
class SharedInput {
 public:
  /// `objects` and `flow` outlive it.
  SharedInput(const model::Flow& flow, storage::ObjectStore& objects);

  /// To be called before the task of `request` is forked. What cannot be read is left to the task itself, which says so.
  void prepare(const TaskRequest& request) noexcept;

  /// Nothing unless `path` is the task that was prepared last.
  std::shared_ptr<const OpenedTask> find(const datastore::TaskPath& path) const;

 private:
  void read(const TaskRequest& request);

  const model::Flow& flow_;
  datastore::BlobStore blobs_;
  datastore::TaskStore tasks_;
  std::optional<datastore::TaskPath> path_;
  std::shared_ptr<const OpenedTask> task_;
};

}  // namespace metaflow::runtime
