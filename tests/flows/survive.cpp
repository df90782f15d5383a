// Steps that fail, hang and die, and what their settings make of it.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

[[noreturn]] inline void hang() {
  for (;;) ::pause();
}

/// Leaves a process in a session of its own that hears nothing but SIGKILL; its id goes to `file`.
inline void leave_stubborn_process(const std::string& file) {
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) std::abort();
  const auto child = ::fork();
  if (child == 0) {
    ::setsid();
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_IGN);
    if (::write(ready[1], ".", 1) != 1) std::abort();
    hang();
  }
  char byte = 0;
  if (::read(ready[0], &byte, 1) != 1) std::abort();
  std::ofstream(file) << child;
}

inline bool ends_soon(const std::string& file) {
  int pid = 0;
  std::ifstream(file) >> pid;
  const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (descriptor < 0) return pid > 0;
  pollfd ended{descriptor, POLLIN, 0};
  return ::poll(&ended, 1, 20'000) == 1;
}

inline void announce(const std::string& folder) {
  const int pipe = ::open((folder + "/announce").c_str(), O_WRONLY | O_CLOEXEC);
  if (pipe < 0 || ::write(pipe, ".", 1) != 1) std::abort();
}

inline std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "unset" : value;
}

struct Survive {
  mf::Parameter<std::string> how{"well", "What the step does"};
  mf::Parameter<std::string> folder{".", "Where it leaves notes"};
  mf::Artifact<std::string> before, seen, variables;
  mf::Artifact<bool> all_ended;
  mf::Artifact<std::optional<mf::Failure>> trouble;

  void start() {}
  void work(const mf::Current& current) {
    before = "set in attempt " + std::to_string(current.retry_count);
    const std::string& what = *how;
    if (what == "throw" || what == "throw_and_fail" || (what == "throw_then_hang" && current.retry_count == 0))
      throw std::runtime_error("boom");
    if (what == "throw_then_hang") hang();
    if (what == "exit") ::_exit(3);
    if (what == "exit_for_good") ::_exit(202);
    if (what == "leave_and_hang" || what == "leave_and_wait") leave_stubborn_process(*folder + "/left");
    if (what == "leave_and_hang") hang();
  }
  void after() {
    seen = trouble->has_value() ? (*trouble)->type : "nothing";
    if (*how == "leave_and_hang") all_ended = ends_soon(*folder + "/left");
    if (*how == "wait") leave_stubborn_process(*folder + "/left"), announce(*folder), hang();
  }
  void bare(const mf::Current& current) {
    if (*how == "throw_and_fail" && !current.origin_run_id) throw std::runtime_error("until it is resumed");
    variables = variable("SURVIVE_PLAIN") + ' ' + variable("SURVIVE_SECRET");
    if (*how == "throw_once" && current.retry_count == 0) throw std::runtime_error("first time");
    if (*how == "hang") hang();
  }
  void end() {
    if (*how == "end") throw std::runtime_error("at the end");
  }

  static constexpr auto graph() {
    using F = Survive;
    return mf::graph(
        mf::step<&F::start>().to<&F::work>(),
        mf::step<&F::work>(mf::retry({.times = 1}), mf::catch_exception<&F::trouble>(), mf::timeout({.seconds = 1}))
            .to<&F::after>(),
        mf::step<&F::after>(mf::retry({.times = 0})).to<&F::bare>(),
        mf::step<&F::bare>(
            mf::environment({{"SURVIVE_PLAIN", "plain"}}), mf::resources({.cpu = 2}),
            mf::secrets({R"({"type": "inline", "id": "x", "options": {"env_vars": {"SURVIVE_SECRET": "hidden"}}})"}))
            .to<&F::end>(),
        mf::step<&F::end>(mf::catch_exception()));
  }
};

int main(int argc, char** argv) { return mf::main<Survive>(argc, argv); }
