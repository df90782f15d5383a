// A step that repeats itself, in a flow whose first and last step have names of their own.
#include <string>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

struct Recursion {
  mf::Parameter<int> times{3, "How often to go round"};
  mf::Artifact<int> count;
  mf::Artifact<std::string> again;

  void begin() { count = 0; }
  void loop() {
    count = *count + 1;
    again = *count < *times ? "yes" : "no";
  }
  void finish() {}

  static constexpr auto graph() {
    using F = Recursion;
    return mf::graph(mf::step<&F::begin>(mf::start_step).to<&F::loop>(),
                     mf::step<&F::loop>().switch_on<&F::again>(mf::when<&F::loop>("yes"), mf::when<&F::finish>("no")),
                     mf::step<&F::finish>(mf::end_step));
  }
};

int main(int argc, char** argv) { return mf::main<Recursion>(argc, argv); }
