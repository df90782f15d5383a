// A step that takes an int, over a vector of strings.
// expect: the step after foreach must take an item of the type that the artifact's container holds
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  mf::Artifact<std::vector<std::string>> genres;
  void start() {}
  void stats(int) {}
  void join(mf::Inputs<Films>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().foreach<&F::genres, &F::stats>(), mf::step<&F::stats>().to<&F::join>(),
                     mf::step<&F::join>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
