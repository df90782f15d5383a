// Two options of one name.
// expect: two parameters have names that differ only in case
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  mf::Parameter<int> alpha{1};
  mf::Parameter<int> Alpha{1};
  void start() {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
