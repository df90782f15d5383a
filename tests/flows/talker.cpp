// A task that prints a line, says so through the pipe `announce`, and prints another once something comes through the pipe `go`.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

inline void exchange(const char* path, int flags) {
  char byte = '.';
  const int pipe = ::open(path, flags | O_CLOEXEC);
  if (pipe < 0 || ((flags & O_WRONLY) != 0 ? ::write(pipe, &byte, 1) : ::read(pipe, &byte, 1)) != 1) std::abort();
  ::close(pipe);
}

struct Talker {
  void talk() {
    std::puts("first");
    std::fputs("warning\n", stderr);
    std::fflush(stdout);
    exchange("announce", O_WRONLY);
    exchange("go", O_RDONLY);
    std::fputs("second, without a newline", stdout);
  }

  static constexpr auto graph() {
    using F = Talker;
    return mf::graph(mf::step<&F::talk>());
  }
};

int main(int argc, char** argv) { return mf::main<Talker>(argc, argv); }
