// A foreach as wide as asked for, its tasks almost empty: what a task costs. Every artifact is kept and counted again.
#include <metaflow/flow.hpp>

#include <cstdio>
#include <numeric>
#include <vector>

namespace mf = metaflow;

struct Wide {
  mf::Parameter<int> width{10, "Number of parallel tasks"};
  mf::Artifact<std::vector<int>> numbers;
  mf::Artifact<int> number;
  mf::Artifact<long> total;

  void start() {
    std::vector<int> all(static_cast<std::size_t>(*width));
    std::iota(all.begin(), all.end(), 0);
    numbers = std::move(all);
  }
  void body(int item) { number = item; }
  void join(mf::Inputs<Wide> branches) {
    long sum = 0;
    for (const auto& branch : branches) sum += *branch.number;
    total = sum;
  }
  void end() { std::printf("total %ld\n", *total); }

  static constexpr auto graph() {
    using F = Wide;
    return mf::graph(mf::step<&F::start>().foreach<&F::numbers, &F::body>(), mf::step<&F::body>().to<&F::join>(),
                     mf::step<&F::join>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Wide>(argc, argv); }
