// Two arrays of --megabytes each, one random and one of small integers, are saved by one step and loaded by the next. The times the
// steps print are seconds since the epoch; bench/local.py takes the differences.
#include <metaflow/flow.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <random>

namespace mf = metaflow;

namespace {
void say(const char* what) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  std::printf("%s %.6f\n", what, now.count());
  std::fflush(stdout);
}
}  // namespace

struct Arrays {
  mf::Parameter<int> megabytes{256, "Size of each array in MiB"};
  mf::Artifact<mf::Array<double>> noise;
  mf::Artifact<mf::Array<std::int64_t>> counts;

  void start() {
    const std::size_t length = static_cast<std::size_t>(*megabytes) * 1024 * 1024 / 8;
    mf::Array<double> random({length});
    mf::Array<std::int64_t> small({length});
    std::mt19937_64 generator(1);
    for (std::size_t i = 0; i < length; ++i) {
      random[i] = static_cast<double>(generator() >> 11) * 0x1p-53;
      small[i] = static_cast<std::int64_t>(generator() % 100);
    }
    noise = std::move(random);
    counts = std::move(small);
    say("set");
  }
  void load() {
    say("loading");
    const double last = noise->data()[noise->size() - 1] + static_cast<double>(counts->data()[counts->size() - 1]);
    say("loaded");
    std::printf("last %.3f\n", last);
  }

  static constexpr auto graph() {
    using F = Arrays;
    return mf::graph(mf::step<&F::start>().to<&F::load>(), mf::step<&F::load>(mf::end_step));
  }
};

int main(int argc, char** argv) { return mf::main<Arrays>(argc, argv); }
