// A static split without a join.
// expect: branches of a split meet in this step, which takes no mf::Inputs
// expect: branches_meet
// expect: Films::end
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  void start() {}
  void a() {}
  void b() {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().to<&F::a, &F::b>(), mf::step<&F::a>().to<&F::end>(),
                     mf::step<&F::b>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
