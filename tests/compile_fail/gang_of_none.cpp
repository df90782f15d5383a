// A gang without nodes.
// expect: num_parallel takes between 1 and 10,000 nodes
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  void start() {}
  void train() {}
  void join(mf::Inputs<Films>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().num_parallel<&F::train>(0),
                     mf::step<&F::train>(mf::parallel()).to<&F::join>(), mf::step<&F::join>().to<&F::end>(),
                     mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
