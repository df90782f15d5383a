#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <metaflow/client.hpp>

#include "datastore/blob_store.hpp"
#include "datastore/task_store.hpp"
#include "metadata/metadata.hpp"
#include "storage/object_store.hpp"

namespace metaflow::client::detail {

/// Where artifacts and logs of one flow lie below one root.
struct FlowData {
  FlowData(std::unique_ptr<storage::ObjectStore> objects, const std::string& flow)
      : store(std::move(objects)), blobs(*store, flow), tasks(*store, flow) {}

  std::unique_ptr<storage::ObjectStore> store;
  datastore::BlobStore blobs;
  datastore::TaskStore tasks;
};

/// What all handles that came from one another share: the records, and whose runs are shown.
class Session {
 public:
  explicit Session(const Options& options);

  const std::string& root() const { return root_; }
  const std::optional<std::string>& name_space() const { return name_space_; }
  metadata::Metadata& metadata() const { return *metadata_; }
  bool shows(const metadata::RunRecord& run) const;
  /// Error(not_found), or Error(denied) when the namespace does not show it.
  metadata::RunRecord find_run(const std::string& flow, const std::string& run) const;
  /// The data of a flow below a root as recorded in `ds-root` and artifact pointers.
  const FlowData& data(const std::string& root, const std::string& flow) const;

 private:
  std::string root_;
  std::optional<std::string> name_space_;
  std::unique_ptr<metadata::Metadata> metadata_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<std::string, std::string>, std::unique_ptr<FlowData>> data_;  // guarded by mutex_
};

/// Splits `text` at its slashes; Error(invalid) unless that gives one non-empty part for each of `parts`, which are for the error:
/// {"Flow", "run"}.
std::vector<std::string> parse_pathspec(std::string_view text, const std::vector<std::string_view>& parts);

/// Whether a datastore of this type can be read: a folder of this machine, or a place in S3.
bool is_readable(std::string_view type);

/// Error(not_found) under the heading that official gives it.
Error not_found(const std::string& message);

Time to_time(std::int64_t milliseconds);

}  // namespace metaflow::client::detail
