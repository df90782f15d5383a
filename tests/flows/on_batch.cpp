// A step for AWS Batch between two that stay here; `mode` says what becomes of it.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include <unistd.h>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

struct OnBatch {
  mf::Parameter<std::string> mode{"work", "work, throw, abort or wait"};
  mf::Artifact<int> number;
  mf::Artifact<std::string> job;

  void start() { number = 41; }
  void work(const mf::Current& current) {
    std::printf("attempt %d of %s\n", current.retry_count, current.pathspec().c_str());
    std::fflush(stdout);
    if (*mode == "throw") throw std::runtime_error("no luck");
    if (*mode == "abort") std::abort();
    while (*mode == "wait") ::pause();
    number = *number + 1;
    const char* id = std::getenv("AWS_BATCH_JOB_ID");
    job = std::string(id != nullptr ? id : "none");
    std::fputs("done on standard error\n", stderr);
  }
  void end() { std::printf("%d from %s\n", *number, job->c_str()); }

  static constexpr auto graph() {
    using F = OnBatch;
    return mf::graph(mf::step<&F::start>().to<&F::work>(),
                     mf::step<&F::work>(mf::batch({.cpu = 0.5, .memory_mb = 256})).to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<OnBatch>(argc, argv); }
