// A foreach leads to a step that is marked for gangs.
// expect: this step has mf::parallel(), but a step leads to it without num_parallel
// expect: parallel_by_others
// expect: Films::train
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  mf::Artifact<std::vector<std::string>> genres;
  void start() {}
  void train() {}
  void join(mf::Inputs<Films>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().foreach<&F::genres, &F::train>(),
                     mf::step<&F::train>(mf::parallel()).to<&F::join>(), mf::step<&F::join>().to<&F::end>(),
                     mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
