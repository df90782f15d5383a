#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/pipes.hpp"
#include "runtime/launcher.hpp"

namespace metaflow::compute {

/// Our ends of what leads to each running attempt: pipes for its standard output and standard error, a socket for
/// control; watched by one epoll descriptor. Turns what arrives into events.
class AttemptStreams {
 public:
  AttemptStreams();

  /// Readable when a listened-to stream or a watched descriptor is.
  int descriptor() const noexcept { return epoll_.get(); }
  /// Watches a descriptor of the owner's as well; `events` as for epoll. Again: changes the events.
  void watch(int descriptor, std::uint32_t events);

  /// Makes the streams of an attempt; the other ends go to its process, in the order above. Throws Error(exhausted).
  std::vector<FileDescriptor> open(runtime::AttemptHandle attempt);
  /// From now on its output is read. Not before its start has been told, as output must not come first.
  void listen(runtime::AttemptHandle attempt);
  /// Puts one character on the control socket; no effect on an attempt that has finished.
  void tell(runtime::AttemptHandle attempt, char word);
  /// Reads what has arrived, a bounded amount per stream, without waiting. True if a watched descriptor is ready, too.
  bool read_ready(std::vector<runtime::LauncherEvent>& events);
  /// The process has ended: reads the rest and forgets the attempt.
  void finish(runtime::AttemptHandle attempt, runtime::ExitStatus status, std::vector<runtime::LauncherEvent>& events);
  /// Forgets an attempt for which there is no process.
  void forget(runtime::AttemptHandle attempt) { attempts_.erase(attempt); }
  /// Attempts that have not finished.
  std::vector<runtime::AttemptHandle> open_attempts() const;

 private:
  struct Attempt {
    std::array<FileDescriptor, 3> streams;
    std::string control;
  };
  enum class Read { some, nothing, end };
  Read read_once(runtime::AttemptHandle handle, Attempt& attempt, std::size_t stream,
                 std::vector<runtime::LauncherEvent>& events);

  FileDescriptor epoll_;
  std::unordered_map<int, std::uint32_t> watched_;
  std::unordered_map<runtime::AttemptHandle, Attempt> attempts_;
  std::string chunk_;
};

}  // namespace metaflow::compute
