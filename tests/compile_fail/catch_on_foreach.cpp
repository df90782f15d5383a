// A foreach that is caught: nobody could say how many tasks follow.
// expect: a step with a foreach cannot have catch_exception
#include <vector>

#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  mf::Artifact<std::vector<int>> items;

  void start() {}
  void body(int) {}
  void join(mf::Inputs<Films>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>(mf::catch_exception()).foreach<&F::items, &F::body>(),
                     mf::step<&F::body>().to<&F::join>(), mf::step<&F::join>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
