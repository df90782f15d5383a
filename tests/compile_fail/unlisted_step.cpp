// A target that the graph forgot.
// expect: this step goes to a step that mf::graph does not list
// expect: unknown_target
// expect: Films::start
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  void start() {}
  void middle() {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().to<&F::middle>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
