#include "compute/attempt_streams.hpp"

#include <metaflow/error.hpp>

#include <cerrno>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/system_error.hpp"
#include "runtime/task_codec.hpp"

namespace metaflow::compute {
namespace {

constexpr std::size_t control_stream = 2;
constexpr std::size_t stream_count = 3;
constexpr std::size_t chunk_size = 65'536;
// epoll's user data: which stream of which attempt, or `watched_tag` for the owner's descriptors.
constexpr std::uint64_t watched_tag = ~std::uint64_t{0};
// The scheduler writes logs while tasks run: so many descriptors stay free for that.
constexpr rlim_t reserved_descriptors = 32;

void check_room(int newest) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (static_cast<rlim_t>(newest) + reserved_descriptors >= limit.rlim_cur)
    throw Error(ErrorCode::exhausted, "no descriptors are left for one more task; raise the limit with 'ulimit -n'");
}

/// So many bytes, at most, can have been written and not read.
long capacity_of(int stream) {
  if (const int pipe = ::fcntl(stream, F_GETPIPE_SZ); pipe > 0) return pipe;
  int socket = 0;  // both ends have the same buffers
  socklen_t size = sizeof socket;
  ::getsockopt(stream, SOL_SOCKET, SO_SNDBUF, &socket, &size);
  return socket;
}

std::uint64_t tag(runtime::AttemptHandle attempt, std::size_t stream) { return attempt << 2 | stream; }

}  // namespace

AttemptStreams::AttemptStreams() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), chunk_(chunk_size, '\0') {
  if (!epoll_) throw system_error("cannot watch tasks", errno);
}

void AttemptStreams::watch(int descriptor, std::uint32_t events) {
  const auto [entry, added] = watched_.try_emplace(descriptor, events);
  if (!added && entry->second == events) return;
  entry->second = events;
  epoll_event event{events, {.u64 = watched_tag}};
  ::epoll_ctl(epoll_.get(), added ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &event);
}

std::vector<FileDescriptor> AttemptStreams::open(runtime::AttemptHandle handle) {
  Attempt attempt;
  std::vector<FileDescriptor> theirs;
  for (std::size_t stream = 0; stream < control_stream; ++stream) {
    auto pipe = make_pipe();
    attempt.streams[stream] = std::move(pipe.reading);
    theirs.push_back(std::move(pipe.writing));
  }
  auto [ours, control] = make_socket_pair();
  attempt.streams[control_stream] = std::move(ours);
  theirs.push_back(std::move(control));
  for (const auto& stream : attempt.streams) ::fcntl(stream.get(), F_SETFL, O_NONBLOCK);
  check_room(theirs.back().get());
  attempts_.emplace(handle, std::move(attempt));
  return theirs;
}

void AttemptStreams::tell(runtime::AttemptHandle handle, char word) {
  const auto attempt = attempts_.find(handle);
  if (attempt == attempts_.end() || !attempt->second.streams[control_stream]) return;
  // A socket that nobody has written to has room; one whose process has gone needs no word.
  ::send(attempt->second.streams[control_stream].get(), &word, 1, MSG_NOSIGNAL);
}

void AttemptStreams::listen(runtime::AttemptHandle handle) {
  auto& streams = attempts_.at(handle).streams;
  for (std::size_t stream = 0; stream < stream_count; ++stream) {
    epoll_event event{EPOLLIN, {.u64 = tag(handle, stream)}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, streams[stream].get(), &event) != 0)
      throw system_error("cannot watch the output of a task", errno);
  }
}

bool AttemptStreams::read_ready(std::vector<runtime::LauncherEvent>& events) {
  epoll_event ready[64];
  const int count = ::epoll_wait(epoll_.get(), ready, 64, 0);
  bool owner_ready = false;
  for (int i = 0; i < count; ++i) {
    if (ready[i].data.u64 == watched_tag) {
      owner_ready = true;
      continue;
    }
    const auto handle = ready[i].data.u64 >> 2;
    const auto stream = ready[i].data.u64 & 3;
    const auto attempt = attempts_.find(handle);
    if (attempt == attempts_.end()) continue;
    // A stream at its end would be reported for ever; closing it takes it out of the epoll set.
    if (read_once(handle, attempt->second, stream, events) == Read::end) attempt->second.streams[stream].close();
  }
  return owner_ready;
}

AttemptStreams::Read AttemptStreams::read_once(runtime::AttemptHandle handle, Attempt& attempt, std::size_t stream,
                                               std::vector<runtime::LauncherEvent>& events) {
  if (!attempt.streams[stream]) return Read::end;
  const auto got = ::read(attempt.streams[stream].get(), chunk_.data(), chunk_.size());
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Read::nothing : Read::end;
  if (got == 0) return Read::end;
  const std::string_view bytes(chunk_.data(), static_cast<std::size_t>(got));
  if (stream == control_stream)
    attempt.control += bytes;
  else
    events.push_back(runtime::Output{handle, stream == 0 ? runtime::OutputStream::out : runtime::OutputStream::err,
                                     std::string(bytes)});
  return Read::some;
}

void AttemptStreams::finish(runtime::AttemptHandle handle, runtime::ExitStatus status,
                            std::vector<runtime::LauncherEvent>& events) {
  const auto found = attempts_.find(handle);
  if (found == attempts_.end()) return;
  auto& attempt = found->second;
  for (std::size_t stream = 0; stream < stream_count; ++stream) {
    if (!attempt.streams[stream]) continue;
    // What the task wrote is here by now. Whoever else still holds the other end cannot make us read for ever.
    for (long left = capacity_of(attempt.streams[stream].get()); left > 0; left -= chunk_size)
      if (read_once(handle, attempt, stream, events) != Read::some) break;
  }
  auto outcome = runtime::decode_outcome(attempt.control);
  attempts_.erase(found);
  events.push_back(runtime::Finished{handle, status, std::move(outcome)});
}

std::vector<runtime::AttemptHandle> AttemptStreams::open_attempts() const {
  std::vector<runtime::AttemptHandle> handles;
  for (const auto& [handle, attempt] : attempts_) handles.push_back(handle);
  return handles;
}

}  // namespace metaflow::compute
