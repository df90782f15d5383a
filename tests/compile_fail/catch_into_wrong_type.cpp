// A caught exception cannot be put into an artifact that holds something else.
// expect: catch_exception needs an mf::Artifact<std::optional<mf::Failure>>
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  mf::Artifact<int> trouble;

  void start() {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>(mf::catch_exception<&F::trouble>()).to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
