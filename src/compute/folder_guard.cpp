#include "compute/folder_guard.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include <sys/wait.h>
#include <unistd.h>

#include "base/random.hpp"
#include "base/system_error.hpp"

namespace metaflow::compute {
namespace {

/// Nothing of its process is kept: a reader of our output, say, is not to wait for the guard.
void close_all_but(int descriptor) {
  ::dup2(descriptor, 0);
  ::close_range(1, ~0U, 0);
}

[[noreturn]] void guard(const std::string& path, int ended) {
  ::setsid();
  close_all_but(ended);
  char byte = 0;
  while (::read(0, &byte, 1) < 0 && errno == EINTR) {
  }
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
  ::_exit(0);
}

}  // namespace

FolderGuard::FolderGuard() {
  std::error_code problem;
  const auto parent = std::filesystem::temp_directory_path(problem);
  if (problem) return;
  path_ = (parent / ("metaflow-" + random_name(12))).string();
  auto pipe = make_pipe();
  std::fflush(nullptr);
  const auto child = ::fork();
  if (child == 0) {
    pipe.writing.close();
    // Its parent ends at once: a step that waits for its own children never meets the guard.
    if (::fork() == 0) guard(path_, pipe.reading.get());
    ::_exit(0);
  }
  if (child < 0) throw system_error("cannot start the process that removes the temporary folder", errno);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  alive_ = std::move(pipe.writing);
}

}  // namespace metaflow::compute
