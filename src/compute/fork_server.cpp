#include "compute/fork_server.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <unordered_map>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/random.hpp"
#include "compute/frame_channel.hpp"
#include "runtime/task_codec.hpp"

namespace metaflow::compute {
namespace {

using Json = nlohmann::json;

// Ctrl-C reaches the whole foreground group; the scheduler decides what it means. Blocked rather than ignored, as a
// signal for a task that has only just been forked must wait for it and not be lost.
constexpr std::array blocked_by_server{SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD};

constexpr std::chrono::milliseconds patience{5'000};

/// For a task. The handling of all signals is the default one since the server began.
void unblock_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

class ForkServer {
 public:
  ForkServer(FileDescriptor socket, const PrepareTask& prepare, const TaskProcess& become_task)
      : channel_(std::move(socket)), prepare_(prepare), become_task_(become_task) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    sigset_t blocked, child;
    sigemptyset(&blocked);
    for (const int number : blocked_by_server) sigaddset(&blocked, number);
    ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    child_ended_ = FileDescriptor(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    if (const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC); null >= 0) {
      ::dup2(null, STDIN_FILENO);
      if (null != STDIN_FILENO) ::close(null);
    }
    children_path_ = "/proc/self/task/" + std::to_string(::gettid()) + "/children";
    std::error_code problem;
    if (const auto parent = std::filesystem::temp_directory_path(problem); !problem)
      folder_prefix_ = (parent / ("metaflow-" + random_name(12) + '-')).string();
  }

  void run() {
    while (!channel_.closed()) {
      pollfd ready[] = {
          {channel_.descriptor(), static_cast<short>(channel_.has_unsent() ? POLLIN | POLLOUT : POLLIN), 0},
          {child_ended_.get(), POLLIN, 0}};
      if (::poll(ready, 2, -1) < 0) continue;
      if (ready[1].revents != 0) reap();
      if ((ready[0].revents & POLLOUT) != 0) channel_.flush();
      if ((ready[0].revents & ~POLLOUT) != 0)
        for (const auto& frame : channel_.receive()) handle(Json::parse(frame));
    }
    kill_everything();
  }

 private:
  void handle(const Json& frame) {
    if (frame.contains("launch")) {
      launch(frame.at("launch"), runtime::task_request(frame.at("task")));
    } else if (frame.contains("signal")) {
      const runtime::AttemptHandle attempt = frame.at("signal");
      for (const auto& [pid, handle] : tasks_)
        if (handle == attempt) ::kill(pid, frame.at("number"));
    }
  }

  void launch(runtime::AttemptHandle attempt, const runtime::TaskRequest& request) {
    if (prepare_) prepare_(request);
    const auto streams = channel_.take_descriptors(3);
    const auto server = ::getpid();
    const auto pid = ::fork();
    if (pid == 0) become(streams, request, server);
    if (pid < 0) {
      send({{"refused", attempt}, {"reason", std::strerror(errno)}});
    } else {
      tasks_.emplace(pid, attempt);
      send({{"started", attempt}, {"pid", pid}});
    }
  }

  [[noreturn]] void become(const std::vector<FileDescriptor>& streams, runtime::TaskRequest request, pid_t server) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Between fork and prctl the server may have gone without that signal.
    if (::getppid() != server || streams.size() != 3) ::_exit(1);
    // Orphans among the task's descendants come to the task while it lives: any stranger seen by the server is a leftover.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    unblock_signals();
    ::close(channel_.descriptor());
    ::close(child_ended_.get());
    ::dup2(streams[0].get(), STDOUT_FILENO);
    ::dup2(streams[1].get(), STDERR_FILENO);
    request.temporary_folder = folder_of(::getpid());
    become_task_(request, streams[2].get());
    ::_exit(1);
  }

  void forget_ended_signals() {
    signalfd_siginfo ignored;
    while (::read(child_ended_.get(), &ignored, sizeof ignored) > 0) {
    }
  }

  void reap() {
    forget_ended_signals();
    int status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      const auto task = tasks_.find(pid);
      if (task == tasks_.end()) continue;
      send({{"ended", task->second},
            {"code", WIFEXITED(status) ? WEXITSTATUS(status) : 0},
            {"signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0}});
      tasks_.erase(task);
      folders_.push_back(folder_of(pid));
    }
    const bool all_are_tasks = kill_strangers() == 0;
    remove_folders();
    // What could not be removed is tried again when the next stranger has died; without one, never.
    if (all_are_tasks) folders_.clear();
  }

  /// Where a task makes its temporary folder, if it makes one; known here, as a killed task cannot remove it itself.
  /// Empty when there is no place for temporary files.
  std::string folder_of(pid_t pid) const {
    return folder_prefix_.empty() ? std::string() : folder_prefix_ + std::to_string(pid);
  }

  void remove_folders() {
    std::erase_if(folders_, [](const std::string& folder) {
      std::error_code problem;
      std::filesystem::remove_all(folder, problem);
      return !problem;
    });
  }

  /// Children that are no tasks: what ended tasks left behind. The children of those come up when they have died.
  /// Returns how many there were.
  int kill_strangers() {
    int count = 0;
    const FileDescriptor file(::open(children_path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return count;
    std::string text;
    char chunk[4096];
    for (ssize_t got; (got = ::read(file.get(), chunk, sizeof chunk)) > 0;)
      text.append(chunk, static_cast<std::size_t>(got));
    const char* at = text.c_str();
    for (char* end; *at != '\0'; at = end) {
      const auto pid = static_cast<pid_t>(std::strtol(at, &end, 10));
      if (end == at) break;
      if (!tasks_.contains(pid)) {
        ::kill(pid, SIGKILL);
        ++count;
      }
      if (*end == ' ') ++end;
    }
    return count;
  }

  void kill_everything() {
    for (const auto& [pid, attempt] : tasks_) ::kill(pid, SIGKILL);
    wait_for_killed();
    for (const auto& [pid, attempt] : tasks_) folders_.push_back(folder_of(pid));
    remove_folders();
  }

  /// Until no child is left, but not for ever: one in uninterruptible sleep ends whenever the kernel lets it.
  void wait_for_killed() {
    using std::chrono::steady_clock;
    const auto deadline = steady_clock::now() + patience;
    for (auto left = patience; left.count() > 0;
         left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now())) {
      forget_ended_signals();
      kill_strangers();
      pid_t pid = 0;
      while ((pid = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
      }
      if (pid < 0) return;
      pollfd ended{child_ended_.get(), POLLIN, 0};
      ::poll(&ended, 1, static_cast<int>(left.count()));
    }
  }

  void send(const Json& frame) { channel_.send(frame.dump()); }

  FrameChannel channel_;
  const PrepareTask& prepare_;
  const TaskProcess& become_task_;
  FileDescriptor child_ended_;
  std::string children_path_, folder_prefix_;
  std::vector<std::string> folders_;  // of ended tasks, unless removed
  std::unordered_map<pid_t, runtime::AttemptHandle> tasks_;
};

}  // namespace

void serve_forks(FileDescriptor socket, const PrepareTask& prepare, const TaskProcess& become_task) {
  int code = 0;
  try {
    ForkServer(std::move(socket), prepare, become_task).run();
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "metaflow: the fork server stopped: %s\n", problem.what());
    code = 1;
  }
  ::_exit(code);
}

}  // namespace metaflow::compute
