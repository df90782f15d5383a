// Text is no number of nodes.
// expect: num_parallel needs an artifact, parameter or constant that holds a whole number
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  mf::Artifact<std::string> nodes;
  void start() {}
  void train() {}
  void join(mf::Inputs<Films>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().num_parallel<&F::nodes, &F::train>(),
                     mf::step<&F::train>(mf::parallel()).to<&F::join>(), mf::step<&F::join>().to<&F::end>(),
                     mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
