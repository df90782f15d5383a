#include "compute/remote_task.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "base/pipes.hpp"
#include "base/system_error.hpp"
#include "runtime/task_log.hpp"

namespace metaflow::compute {
namespace {

using runtime::OutputStream;

constexpr runtime::AttemptHandle the_attempt = 1;

/// Turns the signals that end a job into a readable descriptor, for as long as it lives.
class EndingSignals {
 public:
  EndingSignals() {
    sigset_t ending;
    sigemptyset(&ending);
    for (const int number : {SIGINT, SIGTERM}) sigaddset(&ending, number);
    ::pthread_sigmask(SIG_BLOCK, &ending, &before_);
    descriptor_ = FileDescriptor(::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!descriptor_) throw system_error("cannot wait for signals", errno);
  }
  ~EndingSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  EndingSignals(const EndingSignals&) = delete;
  EndingSignals& operator=(const EndingSignals&) = delete;

  int get() const { return descriptor_.get(); }

 private:
  sigset_t before_{};
  FileDescriptor descriptor_;
};

/// One stream of the attempt, and what of it is to be stored.
class Stream {
 public:
  Stream(OutputStream stream, std::uint64_t max_bytes) : stream_(stream), pending_(max_bytes, "task") {}

  void add(std::string_view bytes, runtime::LogStamper& stamper, Clock& clock) {
    try_write_all(stream_ == OutputStream::out ? STDOUT_FILENO : STDERR_FILENO, bytes);
    lines_.add(bytes, [&](std::string_view line) { take(line, stamper, clock); });
  }
  void finish(runtime::LogStamper& stamper, Clock& clock) {
    lines_.finish([&](std::string_view line) { take(line, stamper, clock); });
  }

  void store(const RemoteTask& task, datastore::TaskStore& logs) {
    const auto more = pending_.take();
    if (more.empty()) return;
    whole_ += more;
    const auto& request = task.request;
    // Object stores cannot append; this is the only writer, so it need not read what it has written.
    logs.replace_log({request.run, request.step, request.task}, request.attempt, datastore::LogSource::task,
                     stream_ == OutputStream::out ? datastore::LogStream::out : datastore::LogStream::err, whole_);
  }

 private:
  void take(std::string_view line, runtime::LogStamper& stamper, Clock& clock) {
    pending_.add_task_line(line, stamper.next(clock.now_microseconds()));
  }

  OutputStream stream_;
  runtime::LineSplitter lines_;
  runtime::StoredLog pending_;
  std::string whole_;
};

class Runner {
 public:
  Runner(const RemoteTask& task, runtime::Launcher& launcher, datastore::TaskStore& logs, Clock& clock)
      : task_(task),
        launcher_(launcher),
        logs_(logs),
        clock_(clock),
        streams_{Stream(OutputStream::out, task.max_log_bytes), Stream(OutputStream::err, task.max_log_bytes)},
        started_us_(clock.steady_microseconds()),
        store_at_us_(started_us_) {}

  int run() {
    launcher_.launch(the_attempt, task_.request);
    while (!code_) {
      wait();
      for (const auto& event : launcher_.take_events()) take(event);
      pass_on_signals();
      if (clock_.steady_microseconds() >= store_at_us_) store();
    }
    for (auto& stream : streams_) stream.finish(stamper_, clock_);
    store();
    return *code_;
  }

 private:
  void wait() {
    const auto left_us = std::max<std::int64_t>(store_at_us_ - clock_.steady_microseconds(), 0);
    std::array<pollfd, 2> watched = {pollfd{launcher_.descriptor(), POLLIN, 0}, pollfd{signals_.get(), POLLIN, 0}};
    ::poll(watched.data(), watched.size(), static_cast<int>(left_us / 1000 + 1));
  }

  void take(const runtime::LauncherEvent& event) {
    if (const auto* output = std::get_if<runtime::Output>(&event)) {
      streams_[output->stream == OutputStream::out ? 0 : 1].add(output->bytes, stamper_, clock_);
    } else if (const auto* refused = std::get_if<runtime::Refused>(&event)) {
      say(refused->reason);
      code_ = 1;
    } else if (const auto* finished = std::get_if<runtime::Finished>(&event)) {
      constexpr int signal_base = 128;
      code_ = finished->status.signal != 0 ? signal_base + finished->status.signal : finished->status.code;
      if (!finished->outcome && finished->status.signal != 0)
        say(fmt::format("The process of this task was ended by signal {} ({}).", finished->status.signal,
                        ::strsignal(finished->status.signal)));
    }
  }

  void pass_on_signals() {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) == sizeof info)
      launcher_.signal(the_attempt, static_cast<int>(info.ssi_signo));
  }

  void store() {
    try {
      for (auto& stream : streams_) stream.store(task_, logs_);
    } catch (const Error& error) {
      std::fprintf(stderr, "The log of this task cannot be stored: %s\n", error.what());
    }
    const auto now = clock_.steady_microseconds();
    const auto running = std::chrono::seconds((now - started_us_) / 1'000'000);
    store_at_us_ = now + std::chrono::microseconds(log_interval(running)).count();
  }

  void say(const std::string& line) { streams_[1].add(line + '\n', stamper_, clock_); }

  const RemoteTask& task_;
  runtime::Launcher& launcher_;
  datastore::TaskStore& logs_;
  Clock& clock_;
  EndingSignals signals_;
  std::array<Stream, 2> streams_;
  runtime::LogStamper stamper_;
  std::int64_t started_us_, store_at_us_;
  std::optional<int> code_;
};

}  // namespace

int run_remote_task(const RemoteTask& task, runtime::Launcher& launcher, datastore::TaskStore& logs, Clock& clock) {
  return Runner(task, launcher, logs, clock).run();
}

std::chrono::milliseconds log_interval(std::chrono::seconds running) {
  // Half of the way after fifteen minutes.
  constexpr double steepness = 0.01, middle = 9, shortest_ms = 250, longest_ms = 30'000;
  const auto part = 1 / (1 + std::exp(middle - steepness * static_cast<double>(running.count())));
  return std::chrono::milliseconds(std::llround(shortest_ms + part * longest_ms));
}

}  // namespace metaflow::compute
