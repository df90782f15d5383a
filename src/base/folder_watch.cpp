#include "base/folder_watch.hpp"

#include <cerrno>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/system_error.hpp"

namespace metaflow {

FolderWatch::FolderWatch() : inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  if (!inotify_) throw system_error("cannot watch folders", errno);
}

void FolderWatch::add(const std::string& folder) {
  constexpr auto events = IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR;
  if (::inotify_add_watch(inotify_.get(), folder.c_str(), events) < 0)
    throw system_error("cannot watch the folder '" + folder + "'", errno);
}

bool FolderWatch::wait(std::optional<std::chrono::milliseconds> timeout) {
  pollfd ready{inotify_.get(), POLLIN, 0};
  const int milliseconds = timeout ? static_cast<int>(timeout->count()) : -1;
  int count = ::poll(&ready, 1, milliseconds);
  while (count < 0 && errno == EINTR) count = ::poll(&ready, 1, milliseconds);
  if (count < 0) throw system_error("cannot watch folders", errno);
  // What happened is not asked: whoever waits looks anyway.
  alignas(inotify_event) char events[4096];
  while (::read(inotify_.get(), events, sizeof events) > 0) continue;
  return count > 0;
}

}  // namespace metaflow
