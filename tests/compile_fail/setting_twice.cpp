// A setting that stands twice.
// expect: a step takes each setting once
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  void start() {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>(mf::retry(), mf::retry()).to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
