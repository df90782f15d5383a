#include "compute/fork_server.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <unordered_map>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/random.hpp"
#include "compute/frame_channel.hpp"
#include "compute/orphans.hpp"
#include "runtime/task_codec.hpp"

namespace metaflow::compute {
namespace {

using Json = nlohmann::json;

constexpr std::size_t streams_of_task = 3;
// Ctrl-C reaches the whole foreground group; the scheduler decides what it means. Blocked rather than ignored, as a
// signal for a task that has only just been forked must wait for it and not be lost.
constexpr std::array blocked_by_server{SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE};

void block_signals() {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int number : blocked_by_server) sigaddset(&blocked, number);
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
}

/// Path of the temporary folder of a task, but for its process id; empty when there is no place for temporary files.
std::string choose_folder_prefix() {
  std::error_code problem;
  const auto parent = std::filesystem::temp_directory_path(problem);
  return problem ? std::string() : (parent / ("metaflow-" + random_name(12) + '-')).string();
}

/// For a task. The handling of all signals is the default one since the server began.
void unblock_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

class ForkServer {
 public:
  ForkServer(FileDescriptor socket, const PrepareTask& prepare, const TaskProcess& become_task, const Fork& fork,
             std::string folder_prefix)
      : channel_(std::move(socket)),
        prepare_(prepare),
        become_task_(become_task),
        fork_(fork),
        folder_prefix_(std::move(folder_prefix)) {
    if (const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC); null >= 0) {
      ::dup2(null, STDIN_FILENO);
      if (null != STDIN_FILENO) ::close(null);
    }
  }

  void run() {
    while (!channel_.closed()) {
      pollfd ready[] = {
          {channel_.descriptor(), static_cast<short>(channel_.has_unsent() ? POLLIN | POLLOUT : POLLIN), 0},
          {orphans_.descriptor(), POLLIN, 0}};
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
    const auto streams = channel_.take_descriptors();
    if (streams.size() != streams_of_task) return refuse(attempt, EMFILE);
    const auto server = ::getpid();
    const auto pid = fork_process(fork_);
    if (pid == 0) become(streams, request, server);
    if (pid < 0) return refuse(attempt, errno);
    tasks_.emplace(pid, attempt);
    send({{"started", attempt}, {"pid", pid}});
  }

  void refuse(runtime::AttemptHandle attempt, int problem) {
    send({{"refused", attempt}, {"reason", std::strerror(problem)}});
  }

  [[noreturn]] void become(const std::vector<FileDescriptor>& streams, runtime::TaskRequest request, pid_t server) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Between fork and prctl the server may have gone without that signal.
    if (::getppid() != server) ::_exit(1);
    set_open_file_limit(open_file_limit_);
    // Orphans among the task's descendants come to the task while it lives: any stranger seen by the server is a leftover.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    unblock_signals();
    ::close(channel_.descriptor());
    ::close(orphans_.descriptor());
    ::dup2(streams[0].get(), STDOUT_FILENO);
    ::dup2(streams[1].get(), STDERR_FILENO);
    request.temporary_folder = folder_of(::getpid());
    become_task_(request, streams[2].get());
    ::_exit(1);
  }

  void reap() {
    orphans_.forget_ended();
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
    // What ended tasks left behind.
    const bool all_are_tasks = orphans_.kill([this](pid_t pid) { return tasks_.contains(pid); }) == 0;
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

  void kill_everything() {
    orphans_.kill_all();
    for (const auto& [pid, attempt] : tasks_) folders_.push_back(folder_of(pid));
    remove_folders();
  }

  void send(const Json& frame) { channel_.send(frame.dump()); }

  // Descriptors of many tasks may arrive at a time. What a task may open is for whoever started the program to say.
  const std::uint64_t open_file_limit_ = raise_open_file_limit();
  FrameChannel channel_;
  const PrepareTask& prepare_;
  const TaskProcess& become_task_;
  const Fork& fork_;
  Orphans orphans_;
  std::string folder_prefix_;
  std::vector<std::string> folders_;  // of ended tasks, unless removed
  std::unordered_map<pid_t, runtime::AttemptHandle> tasks_;
};

[[noreturn]] void serve(FileDescriptor socket, const PrepareTask& prepare, const TaskProcess& become_task,
                        const Fork& fork, const std::string& folder_prefix) {
  int code = 0;
  try {
    ForkServer(std::move(socket), prepare, become_task, fork, folder_prefix).run();
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "metaflow: the fork server stopped: %s\n", problem.what());
    code = 1;
  }
  ::_exit(code);
}

void remove_all_folders(const std::string& prefix) {
  if (prefix.empty()) return;
  std::error_code ignored;
  const auto parent = std::filesystem::path(prefix).parent_path();
  for (std::filesystem::directory_iterator entry(parent, ignored), end; entry != end; entry.increment(ignored))
    if (entry->path().native().starts_with(prefix)) std::filesystem::remove_all(entry->path(), ignored);
}

}  // namespace

int fork_process(const Fork& fork) {
  if (!fork) return ::fork();
  errno = 0;
  const int process = fork();
  if (process < 0 && errno == 0) errno = EAGAIN;
  return process;
}

void serve_forks(FileDescriptor socket, const PrepareTask& prepare, const TaskProcess& become_task, const Fork& fork) {
  const auto folder_prefix = choose_folder_prefix();
  block_signals();
  std::optional<Orphans> orphans(std::in_place);
  const auto server = fork_process(fork);
  if (server == 0) {
    orphans.reset();
    serve(std::move(socket), prepare, become_task, fork, folder_prefix);
  }
  if (server < 0) std::fprintf(stderr, "metaflow: no fork server can be started: %s\n", std::strerror(errno));
  int status = 0;
  while (::waitpid(server, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    orphans->kill_all();
    remove_all_folders(folder_prefix);
  }
  // Only now does the scheduler's end of the socket close: nothing of the tasks is left.
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

}  // namespace metaflow::compute
