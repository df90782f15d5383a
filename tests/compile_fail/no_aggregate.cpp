// A flow with a constructor.
// expect: a flow is a plain struct: no constructors, no private members, no virtual functions
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  Films() {}
  void start() {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
