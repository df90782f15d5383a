// num_parallel leads to a step that is not marked.
// expect: num_parallel leads to a step without the setting mf::parallel()
// expect: parallel_target
// expect: Films::start
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  void start() {}
  void train() {}
  void join(mf::Inputs<Films>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().num_parallel<&F::train>(3), mf::step<&F::train>().to<&F::join>(),
                     mf::step<&F::join>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
