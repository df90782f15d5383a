// A step to which nothing leads.
// expect: no path from start reaches this step
// expect: unreachable
// expect: Films::stats
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  void start() {}
  void stats() {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().to<&F::end>(), mf::step<&F::stats>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
