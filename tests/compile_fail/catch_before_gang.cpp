// A failure before a gang cannot be caught: nobody would know how many nodes there are.
// expect: a step with num_parallel cannot have catch_exception
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  mf::Artifact<int> nodes;
  void start() {}
  void train() {}
  void join(mf::Inputs<Films>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>(mf::catch_exception()).num_parallel<&F::nodes, &F::train>(),
                     mf::step<&F::train>(mf::parallel()).to<&F::join>(), mf::step<&F::join>().to<&F::end>(),
                     mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
