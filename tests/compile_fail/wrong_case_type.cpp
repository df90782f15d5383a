// Text as the case of a bool.
// expect: the values in mf::when must have the type of the artifact, parameter or constant that switch_on asks
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  mf::Artifact<bool> mode;
  void start() {}
  void a() {}
  void b() {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().switch_on<&F::mode>(mf::when<&F::a>("fast"), mf::when<&F::b>("slow")),
                     mf::step<&F::a>().to<&F::end>(), mf::step<&F::b>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
