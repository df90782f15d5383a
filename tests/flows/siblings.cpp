// One branch fails while the other works.
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <thread>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

struct Siblings {
  mf::Parameter<double> seconds{1, "How long the other branch works"};
  mf::Artifact<std::string> side;

  void start() {}
  void bad() { throw std::runtime_error("bad\nbranch"); }
  void good() {
    side = "good";
    // Stands for work: how long it goes on after the other branch has failed is what is tested.
    std::this_thread::sleep_for(std::chrono::duration<double>(*seconds));
  }
  void later() {}
  void join(mf::Inputs<Siblings>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Siblings;
    return mf::graph(mf::step<&F::start>().to<&F::bad, &F::good>(),
                     mf::step<&F::bad>(mf::retry({.times = 0})).to<&F::join>(), mf::step<&F::good>().to<&F::later>(),
                     mf::step<&F::later>().to<&F::join>(), mf::step<&F::join>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Siblings>(argc, argv); }
