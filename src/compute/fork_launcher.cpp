#include "compute/launchers.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <metaflow/error.hpp>

#include <nlohmann/json.hpp>

#include "base/system_error.hpp"
#include "compute/attempt_streams.hpp"
#include "compute/frame_channel.hpp"
#include "runtime/step_command.hpp"
#include "runtime/task_codec.hpp"

namespace metaflow::compute {
namespace {

using Json = nlohmann::json;
using runtime::AttemptHandle;

constexpr const char* control_variable = "METAFLOW_CONTROL_DESCRIPTOR";
constexpr char word_to_finish = 'F';

class ForkLauncher final : public runtime::Launcher {
 public:
  ForkLauncher(const PrepareTask& prepare, const TaskProcess& become_task, const Fork& fork)
      : ForkLauncher(prepare, become_task, fork, make_socket_pair()) {}

  ~ForkLauncher() override {
    channel_.reset();
    while (::waitpid(server_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  void launch(AttemptHandle attempt, const runtime::TaskRequest& request) override {
    if (channel_->closed()) throw Error(ErrorCode::unavailable, "the process that starts tasks has died");
    channel_->send(Json{{"launch", attempt}, {"task", runtime::to_json(request)}}.dump(-1, ' ', false,
                                                                                       Json::error_handler_t::replace),
                   streams_.open(attempt));
    watch_channel();
  }

  void signal(AttemptHandle attempt, int signal_number) override {
    channel_->send(Json{{"signal", attempt}, {"number", signal_number}}.dump());
    watch_channel();
  }

  void let_finish(AttemptHandle attempt) override { streams_.tell(attempt, word_to_finish); }

  int descriptor() const override { return streams_.descriptor(); }

  std::vector<runtime::LauncherEvent> take_events() override {
    std::vector<runtime::LauncherEvent> events;
    if (streams_.read_ready(events) && !channel_->closed()) {
      for (const auto& frame : channel_->receive()) translate(Json::parse(frame), events);
      channel_->flush();
      channel_->closed() ? lose_server(events) : watch_channel();
    }
    return events;
  }

 private:
  ForkLauncher(const PrepareTask& prepare, const TaskProcess& become_task, const Fork& fork,
               std::pair<FileDescriptor, FileDescriptor> sockets) {
    // What is buffered now would be printed once more by every task.
    std::fflush(nullptr);
    server_ = fork_process(fork);
    if (server_ < 0) throw system_error("cannot start the process that starts tasks", errno);
    if (server_ == 0) {
      sockets.first.close();
      serve_forks(std::move(sockets.second), prepare, become_task, fork);
    }
    channel_ = std::make_unique<FrameChannel>(std::move(sockets.first));
    watch_channel();
  }

  void translate(const Json& frame, std::vector<runtime::LauncherEvent>& events) {
    if (frame.contains("started")) {
      const AttemptHandle attempt = frame.at("started");
      events.push_back(runtime::Started{attempt, "pid " + std::to_string(frame.at("pid").get<int>())});
      streams_.listen(attempt);
    } else if (frame.contains("ended")) {
      streams_.finish(frame.at("ended"), {.code = frame.at("code"), .signal = frame.at("signal")}, events);
    } else if (frame.contains("refused")) {
      const AttemptHandle attempt = frame.at("refused");
      streams_.forget(attempt);
      events.push_back(runtime::Refused{
          attempt, "No process could be made for this task: " + frame.at("reason").get<std::string>() +
                       ". A lower --max-workers may help, or higher limits ('ulimit -u' for processes, 'ulimit -n' for "
                       "open files)."});
    }
  }

  /// Without its server no task lives on, but nobody tells us how each ended.
  void lose_server(std::vector<runtime::LauncherEvent>& events) {
    ::epoll_ctl(streams_.descriptor(), EPOLL_CTL_DEL, channel_->descriptor(), nullptr);
    for (const auto attempt : streams_.open_attempts()) streams_.finish(attempt, {.signal = SIGKILL}, events);
  }

  void watch_channel() {
    streams_.watch(channel_->descriptor(), channel_->has_unsent() ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }

  pid_t server_ = -1;
  std::unique_ptr<FrameChannel> channel_;
  AttemptStreams streams_;
};

void show_error(const Error& error) {
  const auto headline = error.headline().empty() ? std::string("Task failure") : error.headline();
  std::fprintf(stderr, "    %s:\n    %s\n\n", headline.c_str(), error.what());
}

/// Of an attempt that could not store how it ended: its log may not be stored either.
Failure unstored_failure(const std::exception& error) {
  return {.type = {}, .message = error.what(), .stacktrace = {}, .headline = {}};
}

/// Until the scheduler says so. By hand there is no scheduler, and nothing to wait for.
void await_word(int control_descriptor) {
  if (control_descriptor < 0) return;
  char word = 0;
  ssize_t got = 0;
  do got = ::read(control_descriptor, &word, 1);
  while (got < 0 && errno == EINTR);
  if (got != 1 || word != word_to_finish)
    throw Error(ErrorCode::unavailable, "Nobody is there any more to tell this task how the others of its gang ended.");
}

[[noreturn]] void become_step_command(const StepProgram& program, const runtime::TaskRequest& request, int control) {
  auto words = program.arguments;
  for (auto& word : program.command(request)) words.push_back(std::move(word));
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::fcntl(control, F_SETFD, 0);
  ::setenv(control_variable, std::to_string(control).c_str(), 1);
  runtime::export_to_environment(request);
  ::execvp(program.path.c_str(), arguments.data());
  std::fprintf(stderr, "cannot start %s again: %s\n", program.path.c_str(), std::strerror(errno));
  ::_exit(1);
}

}  // namespace

std::unique_ptr<runtime::Launcher> make_fork_launcher(ExecuteTask execute, PrepareTask prepare, ProcessHooks hooks) {
  const auto become_task = [&](const runtime::TaskRequest& request, int control) {
    // Lines of a task are to be seen while it runs, though its output is a pipe.
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
    const int code = run_task_process(execute, request, control, hooks.leave);
    ::_exit(code);
  };
  return std::make_unique<ForkLauncher>(prepare, become_task, hooks.fork);
}

std::unique_ptr<runtime::Launcher> make_spawn_launcher(StepProgram program) {
  const auto become_task = [&](const runtime::TaskRequest& request, int control) {
    become_step_command(program, request, control);
  };
  return std::make_unique<ForkLauncher>(PrepareTask(), become_task, Fork());
}

int run_task_process(const ExecuteTask& execute, const runtime::TaskRequest& request, int control_descriptor,
                     const LeaveTask& leave) {
  const auto process = ::getpid();
  runtime::TaskOutcome outcome;
  try {
    outcome = execute(request, [&] { await_word(control_descriptor); });
  } catch (const Error& error) {
    show_error(error);
    outcome.failure = unstored_failure(error);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "    Internal error\n%s\n", error.what());
    outcome.failure = unstored_failure(error);
  }
  // A body may fork, and its child may return from the body too: it is not the task.
  const bool is_task = ::getpid() == process;
  if (is_task && leave) leave();
  std::cout.flush();
  std::fflush(nullptr);
  if (!is_task) ::_exit(0);
  if (control_descriptor >= 0) try_write_all(control_descriptor, runtime::encode_outcome(outcome));
  return outcome.succeeded ? 0 : 1;
}

int inherited_control_descriptor() {
  const char* text = std::getenv(control_variable);
  if (text == nullptr) return -1;
  const int descriptor = std::atoi(text);
  ::unsetenv(control_variable);
  return ::fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 ? descriptor : -1;
}

}  // namespace metaflow::compute
