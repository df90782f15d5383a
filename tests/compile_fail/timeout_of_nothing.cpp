// A limit that is none.
// expect: timeout needs a time above 0
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  void start() {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>(mf::timeout({.seconds = 0})).to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
