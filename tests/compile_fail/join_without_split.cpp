// A step that takes mf::Inputs but joins nothing.
// expect: this step takes mf::Inputs, but no split or foreach leads to it
// expect: join_without_split
// expect: Films::join
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  void start() {}
  void join(mf::Inputs<Films>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().to<&F::join>(), mf::step<&F::join>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
