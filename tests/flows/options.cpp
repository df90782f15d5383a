// Tells what the options of the command line have made of a run. tests/flows_python/options.py is its twin.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

struct Options {
  mf::Parameter<std::string> word{"none", "A word"};
  mf::Artifact<std::vector<int>> items;

  void start(const mf::Current& current) {
    if (current.retry_count == 0 && std::getenv("FLAKY") != nullptr) throw std::runtime_error("not yet");
    std::string tags;
    for (const auto& tag : current.tags) tags += tag + ",";
    std::printf("word=%s namespace=%s tags=%s\n", word->c_str(), current.name_space.c_str(), tags.c_str());
    items = std::vector{0, 1};
  }
  void body(int) {}
  void join(mf::Inputs<Options>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Options;
    return mf::graph(mf::step<&F::start>().foreach<&F::items, &F::body>(), mf::step<&F::body>().to<&F::join>(),
                     mf::step<&F::join>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Options>(argc, argv); }
