// A switch of which one way is a join.
// expect: this switch leads straight into a join
// expect: switch_into_join
// expect: Films::a
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  mf::Artifact<bool> long_way;
  void start() {}
  void a() {}
  void c() {}
  void b() {}
  void join(mf::Inputs<Films>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().to<&F::a, &F::b>(),
                     mf::step<&F::a>().switch_on<&F::long_way>(mf::when<&F::c>(true), mf::when<&F::join>(false)),
                     mf::step<&F::c>().to<&F::join>(), mf::step<&F::b>().to<&F::join>(),
                     mf::step<&F::join>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
