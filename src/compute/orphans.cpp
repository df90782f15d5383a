#include "compute/orphans.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace metaflow::compute {
namespace {

constexpr std::chrono::milliseconds patience{5'000};

}  // namespace

Orphans::Orphans() : children_path_("/proc/self/task/" + std::to_string(::gettid()) + "/children") {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child, nullptr);
  child_ended_ = FileDescriptor(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
}

void Orphans::forget_ended() const {
  signalfd_siginfo ignored;
  while (::read(child_ended_.get(), &ignored, sizeof ignored) > 0) {
  }
}

int Orphans::kill(const std::function<bool(pid_t)>& known) const {
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
    if (!known(pid)) {
      ::kill(pid, SIGKILL);
      ++count;
    }
    if (*end == ' ') ++end;
  }
  return count;
}

void Orphans::kill_all() const {
  using std::chrono::steady_clock;
  const auto deadline = steady_clock::now() + patience;
  for (auto left = patience; left.count() > 0;
       left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now())) {
    forget_ended();
    kill([](pid_t) { return false; });
    pid_t pid = 0;
    while ((pid = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    if (pid < 0) return;
    pollfd ended{child_ended_.get(), POLLIN, 0};
    ::poll(&ended, 1, static_cast<int>(left.count()));
  }
}

}  // namespace metaflow::compute
