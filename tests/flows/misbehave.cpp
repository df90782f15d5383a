// A foreach whose tasks do what tasks should not.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

struct NoException {};

struct OddException : std::exception {
  const char* what() const noexcept override { return "odd \xff words"; }
};

/// Says that it is there, then waits to be killed.
[[noreturn]] inline void block(const std::string& folder, int item) {
  std::ofstream(folder + "/blocked." + std::to_string(item)) << ::getpid() << std::flush;
  const int pipe = ::open((folder + "/announce").c_str(), O_WRONLY | O_CLOEXEC);
  if (pipe >= 0 && ::write(pipe, ".", 1) != 1) std::abort();
  for (;;) ::pause();
}

inline void drop_litter(const std::string& folder) {
  std::filesystem::create_directories(folder + "/deep/below");
  std::ofstream(folder + "/deep/below/file") << "litter";
}

inline void print_lines() {
  for (int i = 0; i < 1000; ++i) std::printf("line %d\n", i);
  std::fputs("  indented\n\nbad \xff\xfe bytes\nno newline at the end", stdout);
}

inline void flood() {
  std::string noise(1 << 20, '\0');
  unsigned state = 1;
  for (auto& byte : noise) byte = static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
  for (int i = 0; i < 100; ++i) std::fwrite(noise.data(), 1, noise.size(), stdout);
}

struct Misbehave {
  mf::Parameter<std::string> how{"well", "What the tasks do"};
  mf::Parameter<std::string> folder{".", "Where they leave notes"};
  mf::Parameter<int> width{1, "Number of tasks"};
  mf::Parameter<bool> litter{false, "Whether they put files into their temporary folder"};
  mf::Artifact<std::vector<int>> items;
  mf::Artifact<std::string> before, unset;

  void start() {
    std::vector<int> all;
    for (int i = 0; i < *width; ++i) all.push_back(i);
    items = all;
  }
  void work(int item, const mf::Current& current) {
    before = "set";
    if (*litter) drop_litter(current.temporary_folder());
    const std::string& what = *how;
    if (what == "throw") throw std::runtime_error("boom " + std::to_string(item));
    if (what == "throw_int") throw 42;
    if (what == "throw_struct") throw NoException();
    if (what == "throw_odd") throw OddException();
    if (what == "throw_error") throw mf::Error(mf::ErrorCode::invalid, "the engine's own kind");
    if (what == "exit0") std::exit(0);
    if (what == "exit3") std::exit(3);
    if (what == "quick_exit0") ::_exit(0);
    if (what == "abort") std::abort();
    if (what == "fault") ::raise(SIGSEGV);
    if (what == "kill") ::raise(SIGKILL);
    if (what == "fork" && ::fork() == 0) block(*folder, item);
    if (what == "fork_and_return" && ::fork() == 0) before = "set by the copy";
    if (what == "close_all") ::close_range(3, ~0U, 0);
    if (what == "close_output") ::close_range(0, 2, 0);
    if (what == "chdir" && ::chdir("/") != 0) std::abort();
    if (what == "lines") print_lines();
    if (what == "flood") flood();
    if (what == "block") block(*folder, item);
    if (what == "unset") before = *unset;
  }
  void join(mf::Inputs<Misbehave> inputs) { before = *inputs[0].before; }
  void end() {}

  static constexpr auto graph() {
    using F = Misbehave;
    return mf::graph(mf::step<&F::start>().foreach<&F::items, &F::work>(), mf::step<&F::work>().to<&F::join>(),
                     mf::step<&F::join>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Misbehave>(argc, argv); }
