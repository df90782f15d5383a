// A parameter that would hide an option.
// expect: this parameter's name is an option of its own
// expect: reserved_parameter
// expect: tag
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  mf::Parameter<int> tag{1, "A number"};
  void start() {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
