// A join that splits again.
// expect: this step joins and splits at once
// expect: join_splits
// expect: Films::join
#include <metaflow/flow.hpp>
namespace mf = metaflow;

struct Films {
  void start() {}
  void a() {}
  void b() {}
  void join(mf::Inputs<Films>) {}
  void c() {}
  void d() {}
  void join_again(mf::Inputs<Films>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>().to<&F::a, &F::b>(), mf::step<&F::a>().to<&F::join>(),
                     mf::step<&F::b>().to<&F::join>(), mf::step<&F::join>().to<&F::c, &F::d>(),
                     mf::step<&F::c>().to<&F::join_again>(), mf::step<&F::d>().to<&F::join_again>(),
                     mf::step<&F::join_again>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Films>(argc, argv); }
