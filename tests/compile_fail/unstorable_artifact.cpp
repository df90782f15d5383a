// An artifact of a type that cannot be stored.
// expect: this type cannot be stored as an artifact
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  struct Handle {
    void* pointer;
  };
  mf::Artifact<Handle> handle;
  void start() {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
