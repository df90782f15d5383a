#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/files.hpp"

namespace metaflow {

/// Tells that something happened in folders of this machine: a file in them was made, written to, renamed or removed. What happens
/// between two calls of `wait` is not lost: so look after `add`, then wait.
class FolderWatch {
 public:
  FolderWatch();

  /// Error(not_found) when there is no such folder.
  void add(const std::string& folder);
  /// Until something happened, for as long as that takes, or until `timeout` has passed: then false.
  bool wait(std::optional<std::chrono::milliseconds> timeout = std::nullopt);
  /// Readable when `wait` would return at once, for those who wait for other things too.
  int descriptor() const noexcept { return inotify_.get(); }

 private:
  FileDescriptor inotify_;
};

}  // namespace metaflow
