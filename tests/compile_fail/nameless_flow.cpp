// A flow whose name cannot be told from the template's arguments.
// expect: a flow is known by the plain name of its struct, and the compiler gives none for this one
#include <metaflow/flow.hpp>
namespace mf = metaflow;

template <char Separator>
struct Films {
  mf::Artifact<char> separator;

  void start() {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().template to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films<'>'>>(argc, argv); }
