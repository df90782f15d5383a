#include <metaflow/flow.hpp>

#include <cstdio>
#include <string>

namespace mf = metaflow;

/// Greets somebody, in three steps.
struct HelloFlow {
  mf::Parameter<std::string> who{"world", "Whom to greet"};
  mf::Artifact<std::string> greeting;

  void start() { std::printf("HelloFlow is starting.\n"); }

  void hello() {
    greeting = "Hello, " + *who + "!";
    std::printf("%s\n", greeting->c_str());
  }

  /// Runs in a process of its own, as every step does: what it knows of `hello` it knows from the artifact.
  void end() { std::printf("HelloFlow is done; it said '%s'\n", greeting->c_str()); }

  static constexpr auto graph() {
    using F = HelloFlow;
    return mf::graph(mf::step<&F::start>().to<&F::hello>(), mf::step<&F::hello>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<HelloFlow>(argc, argv); }
