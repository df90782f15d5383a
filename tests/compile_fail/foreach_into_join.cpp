// Nothing between foreach and join.
// expect: foreach leads straight into a join: put a step between them
// expect: foreach_into_join
// expect: Films::start
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  mf::Artifact<std::vector<std::string>> genres;
  void start() {}
  void join(mf::Inputs<Films>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().foreach<&F::genres, &F::join>(), mf::step<&F::join>().to<&F::end>(),
                     mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
