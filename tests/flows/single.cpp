// A flow of one step.
#include <string>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

struct Single {
  mf::Artifact<int> answer;

  void only() { answer = 42; }

  static constexpr auto graph() { return mf::graph(mf::step<&Single::only>()); }
};

int main(int argc, char** argv) { return mf::main<Single>(argc, argv); }
