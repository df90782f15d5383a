// A split of which one branch chooses between two steps, and the ways a join can merge what they left.
#include <string>
#include <vector>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

struct Branches {
  mf::Parameter<std::string> side{"a", "Step that the right branch takes: a or b"};
  mf::Parameter<std::string> merge{"resolved", "resolved, unresolved, missing, both"};

  mf::Artifact<std::string> same, diff, only_left, from_right;
  mf::Artifact<std::vector<int>> equal;
  mf::Artifact<bool> inherited_before_merging;
  mf::Artifact<std::string> parameter_in_join;
  mf::Artifact<int> input_count;
  mf::Artifact<std::vector<std::string>> steps_of_inputs;

  void start() { same = "inherited"; }
  void left() {
    diff = "left";
    only_left = "yes";
    equal = std::vector{1, 2};
  }
  void right() {
    diff = "right";
    equal = std::vector{1, 2};
  }
  void right_a() { from_right = "a"; }
  void right_b() { from_right = "b"; }
  void join(mf::Inputs<Branches> inputs) {
    inherited_before_merging = same.has_value();
    parameter_in_join = *side;
    input_count = static_cast<int>(inputs.size());
    std::vector<std::string> taken;
    for (const auto& name : {"left", "right_a", "right_b"})
      if (inputs.has(name)) taken.push_back(name);
    steps_of_inputs = taken;
    if (*merge == "unresolved") mf::merge_artifacts(*this, inputs);
    if (*merge == "missing") mf::merge_artifacts(*this, inputs, {.include = {"same", "nowhere"}});
    if (*merge == "both") mf::merge_artifacts(*this, inputs, {.exclude = {"diff"}, .include = {"same"}});
    diff = *inputs["left"].diff + "+" + *inputs[1].diff;
    mf::merge_artifacts(*this, inputs);
  }
  void end() {}

  static constexpr auto graph() {
    using F = Branches;
    return mf::graph(mf::step<&F::start>().to<&F::left, &F::right>(), mf::step<&F::left>().to<&F::join>(),
                     mf::step<&F::right>().switch_on<&F::side>(mf::when<&F::right_a>("a"), mf::when<&F::right_b>("b")),
                     mf::step<&F::right_a>().to<&F::join>(), mf::step<&F::right_b>().to<&F::join>(),
                     mf::step<&F::join>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Branches>(argc, argv); }
