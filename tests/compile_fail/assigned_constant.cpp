// Constants are read-only, another one's value included.
// expect: deleted
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  mf::Constant<int> depth{1};
  void start() { depth = depth; }
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
