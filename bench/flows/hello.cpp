// Three steps and one artifact: what a run costs when it does nothing.
#include <metaflow/flow.hpp>

namespace mf = metaflow;

struct Hello {
  mf::Artifact<std::string> greeting;

  void start() { greeting = "hello"; }
  void middle() { greeting.edit() += ", world"; }
  void end() {}

  static constexpr auto graph() {
    using F = Hello;
    return mf::graph(mf::step<&F::start>().to<&F::middle>(), mf::step<&F::middle>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Hello>(argc, argv); }
