#include "datastore/flow_lock.hpp"

#include <cerrno>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <metaflow/error.hpp>

#include "base/system_error.hpp"

namespace metaflow::datastore {
namespace {

std::string lock_path(const std::string& root, const std::string& flow) { return root + '/' + flow + "/.lock"; }

/// Of an flock that was refused as somebody else holds it.
bool is_busy(int number) { return number == EWOULDBLOCK || number == EINTR; }
/// Of file systems that know no flock.
bool is_without_locks(int number) {
  return number == ENOLCK || number == EOPNOTSUPP || number == ENOSYS || number == EINVAL;
}

/// Anybody who uses the flow may lock it, whatever the umask of who came first.
FileDescriptor make_lock_file(const std::string& path) {
  auto file = open_file(path, O_RDONLY | O_CREAT, 0666);
  struct stat status {};
  if (::fstat(file.get(), &status) == 0 && (status.st_mode & 0666) != 0666) ::fchmod(file.get(), 0666);
  return file;
}

/// An empty descriptor when the flow has no folder, or none that we may write to, and that is to be passed over.
FileDescriptor open_lock_file(const std::string& path, IfAbsent if_absent) {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file) return file;
  if (errno != ENOENT) throw system_error("cannot open '" + path + "'", errno);
  const auto folder = path.substr(0, path.rfind('/'));
  struct stat status {};
  if (if_absent == IfAbsent::pass && ::stat(folder.c_str(), &status) != 0) return {};
  try {
    make_directories(folder);
    return make_lock_file(path);
  } catch (const Error& error) {
    if (if_absent == IfAbsent::make || error.code() != ErrorCode::denied) throw;
    return {};
  }
}

}  // namespace

FlowLock FlowLock::share(const storage::ObjectStore& store, const std::string& flow, IfAbsent if_absent,
                         const std::function<void()>& on_wait) {
  return store.type() == "local" ? share(store.root(), flow, if_absent, on_wait) : FlowLock(FileDescriptor());
}

FlowLock FlowLock::share(const std::string& root, const std::string& flow, IfAbsent if_absent,
                         const std::function<void()>& on_wait) {
  const auto path = lock_path(root, flow);
  auto file = open_lock_file(path, if_absent);
  constexpr int most_tries = 60'000;
  for (int tries = 0; file && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0; ++tries) {
    if (is_without_locks(errno)) return FlowLock(FileDescriptor());
    if (!is_busy(errno)) throw system_error("cannot lock '" + path + "'", errno);
    if (tries == 0) on_wait();
    if (tries == most_tries)
      throw Error(ErrorCode::unavailable,
                  "'" + path + "' has been held by 'metaflow gc' for ten minutes; see whether it hangs");
    // A flock that waits in the kernel knows no deadline, and the user is to be told of the wait.
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return FlowLock(std::move(file));
}

std::optional<FlowLock> FlowLock::take(const std::string& root, const std::string& flow) {
  const auto path = lock_path(root, flow);
  open_lock_file(path, IfAbsent::make);
  // For writing, as NFS gives no other descriptor a lock that nobody else has.
  auto file = open_file(path, O_RDWR);
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::nullopt;
    if (is_without_locks(errno))
      throw Error(
          ErrorCode::unavailable,
          "'" + path + "' lies on a file system without locks, so that nobody can tell whether the flow is running");
    if (errno != EINTR) throw system_error("cannot lock '" + path + "'", errno);
  }
  return FlowLock(std::move(file));
}

}  // namespace metaflow::datastore
