// Reads an artifact of an earlier run through the client and leaves it to its own next step.
#include <string>

#include <metaflow/client.hpp>
#include <metaflow/flow.hpp>

namespace mf = metaflow;

struct Reuse {
  mf::Parameter<std::string> task{"", "Flow/run/step/task to read from"};
  mf::Parameter<std::string> name{"x", "Artifact to read"};
  mf::Artifact<mf::Value> taken;

  void start() {
    const mf::client::Task source(*task);
    taken = source.artifact<mf::Value>(*name).value();
  }
  void end() {}

  static constexpr auto graph() {
    using F = Reuse;
    return mf::graph(mf::step<&F::start>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Reuse>(argc, argv); }
