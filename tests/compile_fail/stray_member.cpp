// A plain data member.
// expect: every data member of a flow is an mf::Artifact, mf::Parameter, mf::IncludeFile or mf::Constant
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  int count = 0;
  void start() {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
