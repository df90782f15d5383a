#pragma once

#include <string>

#include "base/pipes.hpp"

namespace metaflow::compute {

/// A name for a temporary folder, for a process that nobody else cleans up after: the folder, if it has been made, is
/// removed soon after this process has ended, by kill -9 too. A small process waits for that, so make it early, before
/// threads exist and data is loaded. What the process leaves running holds the folder.
class FolderGuard {
 public:
  /// Throws Error when no process can be made.
  FolderGuard();

  /// Empty when there is no place for temporary files.
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
  FileDescriptor alive_;  // held to the end; the other end notices
};

}  // namespace metaflow::compute
