// Two steps that lead to each other.
// expect: the graph has a cycle through this step
// expect: cycle
// expect: Films::a
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  void start() {}
  void a() {}
  void b() {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().to<&F::a>(), mf::step<&F::a>().to<&F::b>(), mf::step<&F::b>().to<&F::a>(),
                     mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
