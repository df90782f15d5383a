#include "client/session.hpp"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/configuration.hpp"
#include "gateway/cloud.hpp"

namespace metaflow::client {

std::optional<std::string> default_namespace() {
  // Set for tasks by the engine: the namespace of the run, empty for the global one.
  if (const char* of_run = std::getenv("METAFLOW_TASK_NAMESPACE")) {
    if (*of_run == '\0') return std::nullopt;
    return of_run;
  }
  return metadata::current_identity().name_space();
}

Options inspect_spin(const std::filesystem::path& folder) {
  if (folder.empty()) return {.folder = {}, .root = find_spin_root().path};
  return {.folder = {}, .root = folder / spin_folder_name};
}

namespace detail {
namespace {

std::string root_of(const Options& options) {
  if (!options.root.empty()) return std::filesystem::absolute(options.root).lexically_normal().string();
  if (options.folder.empty()) return find_local_root().path;
  return (std::filesystem::absolute(options.folder) / ".metaflow").lexically_normal().string();
}

std::unique_ptr<storage::ObjectStore> open_store(const std::string& root) {
  return root.starts_with("s3://") ? gateway::cloud().open_s3_store(root, {}) : storage::open_directory_store(root);
}

}  // namespace

Session::Session(const Options& options)
    : root_(root_of(options)), name_space_(options.name_space), metadata_(metadata::open_local_metadata(root_)) {}

bool Session::shows(const metadata::RunRecord& run) const {
  return !name_space_ || run.tags.contains(*name_space_) || run.system_tags.contains(*name_space_);
}

metadata::RunRecord Session::find_run(const std::string& flow, const std::string& run) const {
  auto record = metadata_->run(flow, run);
  if (!record) throw not_found(fmt::format("There is no run '{}/{}' below {}.", flow, run, root_));
  if (!shows(*record))
    throw Error(
        ErrorCode::denied,
        fmt::format(
            "Run '{}/{}' is not in the namespace '{}'. Ask with Options{{.name_space = std::nullopt}} to see all runs.",
            flow, run, *name_space_),
        "Object not in the current namespace");
  return *std::move(record);
}

const FlowData& Session::data(const std::string& root, const std::string& flow) const {
  std::scoped_lock lock(mutex_);
  auto& data = data_[{root, flow}];
  if (!data) data = std::make_unique<FlowData>(open_store(root), flow);
  return *data;
}

std::vector<std::string> parse_pathspec(std::string_view text, const std::vector<std::string_view>& parts) {
  std::vector<std::string> found(1);
  for (const char c : text) {
    if (c == '/')
      found.emplace_back();
    else
      found.back() += c;
  }
  if (found.size() != parts.size() || std::any_of(found.begin(), found.end(), [](auto& part) { return part.empty(); }))
    throw Error(ErrorCode::invalid,
                fmt::format("'{}' is not of the form {}: {} parts are expected, separated by '/'.", text,
                            fmt::join(parts, "/"), parts.size()),
                "Invalid pathspec");
  return found;
}

bool is_readable(std::string_view type) { return type == "local" || type == "spin" || type == "s3"; }

Error not_found(const std::string& message) { return {ErrorCode::not_found, message, "Object not found"}; }

Time to_time(std::int64_t milliseconds) { return Time(std::chrono::milliseconds(milliseconds)); }

}  // namespace detail
}  // namespace metaflow::client
