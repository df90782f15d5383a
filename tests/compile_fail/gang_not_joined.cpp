// A step between a gang and its join.
// expect: this step has mf::parallel(), so the one after it has to be a join
// expect: parallel_not_joined
// expect: Films::train
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  void start() {}
  void train() {}
  void between() {}
  void join(mf::Inputs<Films>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().num_parallel<&F::train>(3),
                     mf::step<&F::train>(mf::parallel()).to<&F::between>(), mf::step<&F::between>().to<&F::join>(),
                     mf::step<&F::join>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
