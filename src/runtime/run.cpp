#include "runtime/run.hpp"

#include <metaflow/error.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <limits>
#include <span>

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/pipes.hpp"
#include "base/system_error.hpp"
#include "runtime/conduct.hpp"
#include "runtime/parameters_task.hpp"
#include "runtime/recovering_launcher.hpp"

namespace metaflow::runtime {
namespace {

/// Turns the signals that end a program into a readable descriptor, for as long as it lives.
class SignalWatch {
 public:
  SignalWatch() {
    sigset_t ending;
    sigemptyset(&ending);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ending, number);
    ::pthread_sigmask(SIG_BLOCK, &ending, &before_);
    pipe_handler_ = ::signal(SIGPIPE, SIG_IGN);
    descriptor_ = FileDescriptor(::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!descriptor_) throw system_error("cannot wait for signals", errno);
  }
  ~SignalWatch() {
    ::signal(SIGPIPE, pipe_handler_);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  int descriptor() const noexcept { return descriptor_.get(); }
  /// The next signal that has come, 0 for none.
  int take() const noexcept {
    signalfd_siginfo info;
    return ::read(descriptor_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  sigset_t before_{};
  void (*pipe_handler_)(int) = SIG_DFL;
  FileDescriptor descriptor_;
};

/// The one place where a run waits.
class Loop {
 public:
  Loop(const Launcher& launcher, Clock& clock) : clock_(clock), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (const int descriptor : {launcher.descriptor(), signals_.descriptor()}) {
      epoll_event event{EPOLLIN, {.fd = descriptor}};
      if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0)
        throw system_error("cannot wait for tasks", errno);
    }
  }

  /// The signal that has interrupted the run, 0 for none.
  int interrupted_by() {
    if (const int number = signals_.take()) interrupted_by_ = number;
    return interrupted_by_;
  }

  /// Drives the run to its end. `launcher` has the descriptor of the one that the loop was made for.
  void drive(Scheduler& scheduler, Launcher& launcher, RunLog& run_log) {
    while (true) {
      scheduler.launch_ready();
      if (scheduler.finished()) return;
      scheduler.end_turn();
      if (!is_ready(0)) {
        run_log.flush();
        is_ready(milliseconds_until(scheduler.next_deadline()));
      }
      for (const auto& event : launcher.take_events()) scheduler.take(event);
      while (const int number = signals_.take()) {
        interrupted_by_ = number;
        scheduler.interrupt(number);
      }
      scheduler.on_time();
    }
  }

 private:
  bool is_ready(int timeout_ms) {
    epoll_event ready[2];
    return ::epoll_wait(epoll_.get(), ready, 2, timeout_ms) > 0;
  }
  int milliseconds_until(std::int64_t deadline_us) {
    constexpr std::int64_t longest = 3'600'000;
    const auto left = deadline_us == std::numeric_limits<std::int64_t>::max()
                          ? longest
                          : (deadline_us - clock_.steady_microseconds() + 999) / 1000;
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, longest));
  }

  Clock& clock_;
  SignalWatch signals_;
  FileDescriptor epoll_;
  int interrupted_by_ = 0;
};

metadata::RunRecord create_run(const FlowProgram& program, const RunOptions& options, metadata::Metadata& metadata) {
  if (options.run_id && options.reopens_run)
    return metadata.open_run_as(program.flow.name, *options.run_id, options.tags);
  if (options.run_id) return metadata.create_run_as(program.flow.name, *options.run_id, options.tags);
  return metadata.create_run(program.flow.name, options.tags);
}

void write_run_files(const RunOptions& options, const metadata::RunRecord& run) {
  if (!options.run_id_file.empty()) write_file_in_place(options.run_id_file, run.run);
  if (options.runner_attribute_file.empty()) return;
  JsonObject attributes;
  if (options.is_spin()) attributes.text("task_id", "0").text("step_name", options.only_step);
  attributes.text("run_id", run.run).text("flow_name", run.flow).text("metadata", options.metadata);
  write_file_in_place(options.runner_attribute_file, attributes.take());
}

/// Which tasks failed and why, and what to type next.
std::string failure_summary(const RunEnd& end, const std::string& run, const RunOptions& options) {
  constexpr std::size_t most = 10;
  const auto& script = options.script;
  const auto* logs = options.is_spin() ? "--mode spin logs" : "logs";
  const auto count = end.failures.size();
  std::string text;
  if (count > 0) text = count == 1 ? "1 task failed:\n" : fmt::format("{} tasks failed:\n", count);
  for (const auto& task : std::span(end.failures).first(std::min(count, most))) {
    text += fmt::format("    {}: {}\n", task.pathspec, task.why);
    text += task.has_log ? fmt::format("        {} {} {}\n", script, logs, task.pathspec)
                         : std::string("        Its log could not be stored; what it printed is above.\n");
  }
  if (count > most) text += fmt::format("    and {} more\n", count - most);
  if (options.is_spin()) return text;
  return text + fmt::format("To go on from what has succeeded:\n    {} resume --origin-run-id {}\n", script, run);
}

void print_end(const RunEnd& end, const std::string& run, const RunOptions& options) {
  if (end.kind == RunEnd::Kind::interrupted)
    std::fputs("Aborted!\n", stderr);
  else if (end.kind == RunEnd::Kind::failed)
    std::fprintf(stderr, "    %s:\n    %s\n\n%s", end.is_internal ? "Internal error" : "Step failure",
                 end.message.c_str(), failure_summary(end, run, options).c_str());
}

[[noreturn]] void throw_log_error(int reason) {
  const auto cause =
      system_error("the run went to its end and is stored, but not all of its log could be shown", reason);
  throw Error(cause.code(), cause.what(), "Cannot write to standard output");
}

/// Somebody may have removed the store meanwhile: then nothing of the run can be found again, however it went.
void require_records(const metadata::RunRecord& run, const Stores& stores) {
  if (stores.metadata.run(run.flow, run.run)) return;
  throw Error(ErrorCode::not_found,
              fmt::format("The records of run {}/{} are not in {} any more: they were removed or moved while it ran. "
                          "Start a new run.",
                          run.flow, run.run, stores.objects.root()),
              "Run lost");
}

/// Who asks for the log of a task is told that there is no such task, unless it got to its first record.
bool is_recorded(const FailedTask& task, const std::string& flow, const Stores& stores) {
  const auto path = datastore::parse_task_path(task.pathspec);
  return stores.metadata.task(flow, path.run, path.step, path.task).has_value();
}

/// As if nobody had caught it: whoever started us sees which signal it was.
void die_by(int signal_number) {
  ::signal(signal_number, SIG_DFL);
  ::raise(signal_number);
}

/// From its first record to its last task.
RunEnd conduct_in(Loop& loop, const FlowProgram& program, const RunOptions& options, const metadata::RunRecord& run,
                  Stores stores, Launcher& launcher, Clock& clock, RunLog& run_log, const Prepare& prepare) {
  write_run_files(options, run);
  std::fflush(stdout);
  auto beginning = prepare(run, run_log, [&] { return loop.interrupted_by() != 0; });
  if (loop.interrupted_by() != 0) {
    run_log.run_line(clock.now_microseconds(), "Workflow interrupted.", Tone::bad);
    return {RunEnd::Kind::interrupted, {}};
  }
  if (!beginning) return {};
  datastore::TaskStore logs(stores.objects, program.flow.name);
  RecoveringLauncher recovering(launcher, program.flow, run, stores);
  Scheduler scheduler(program, run, options, logs, recovering, clock, run_log, std::move(*beginning));
  loop.drive(scheduler, recovering, run_log);
  if (loop.interrupted_by() == 0) require_records(run, stores);
  auto end = scheduler.end();
  for (auto& task : end.failures) task.has_log = task.has_log && is_recorded(task, run.flow, stores);
  return end;
}

}  // namespace

datastore::FlowLock hold_flow(const Stores& stores, const std::string& flow, datastore::IfAbsent if_absent) {
  const auto on_wait = [&] { std::fprintf(stderr, "Waiting for 'metaflow gc' of %s to end.\n", flow.c_str()); };
  // Of a run in S3, gc sees the records alone.
  if (stores.objects.type() == "s3" && !stores.metadata.folder().empty())
    return datastore::FlowLock::share(stores.metadata.folder(), flow, if_absent, on_wait);
  return datastore::FlowLock::share(stores.objects, flow, if_absent, on_wait);
}

int conduct_run(const FlowProgram& program, const RunOptions& options, Stores stores, Launcher& launcher, Clock& clock,
                const Prepare& prepare) {
  raise_open_file_limit();
  const auto held = hold_flow(stores, program.flow.name, datastore::IfAbsent::make);
  int interrupted_by = 0, log_error = 0;
  RunEnd end;
  std::string run_id;
  {
    Loop loop(launcher, clock);
    RunLog run_log(STDOUT_FILENO);
    const auto run = create_run(program, options, stores.metadata);
    run_id = run.run;
    const auto hold = stores.metadata.hold_run(run);
    end = conduct_in(loop, program, options, run, stores, launcher, clock, run_log, prepare);
    interrupted_by = loop.interrupted_by();
    run_log.flush();
    log_error = run_log.write_error();
  }
  print_end(end, run_id, options);
  if (interrupted_by == SIGTERM || interrupted_by == SIGHUP) die_by(interrupted_by);
  if (log_error != 0) throw_log_error(log_error);
  return end.kind == RunEnd::Kind::done ? 0 : 1;
}

void announce_run(RunLog& run_log, Clock& clock, const metadata::RunRecord& run) {
  run_log.run_line(clock.now_microseconds(), fmt::format("Workflow starting (run-id {}):", run.run), Tone::system);
}

int run_flow(const FlowProgram& program, const RunOptions& options, const ParameterValues& parameters, Stores stores,
             Launcher& launcher, Clock& clock) {
  const model::Graph graph(program.flow);
  return conduct_run(program, options, stores, launcher, clock,
                     [&](const metadata::RunRecord& run, RunLog& run_log, const Interrupted&) {
                       write_parameters_task(program.flow, parameters, run, stores, clock);
                       stores.metadata.set_latest_run(run.flow, run.run);
                       announce_run(run_log, clock, run);
                       return std::optional<Beginning>({.plan = Plan(graph)});
                     });
}

}  // namespace metaflow::runtime
