// No last step.
// expect: the flow has no end
// expect: no_end
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  void start() {}
  void stats() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().to<&F::stats>(), mf::step<&F::stats>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
