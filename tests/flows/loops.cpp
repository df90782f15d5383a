// A foreach inside a foreach; every step writes down where it thinks it is.
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

using Frame = std::tuple<std::int64_t, std::int64_t, std::string>;

inline std::vector<Frame> frames(const mf::Current& current) {
  std::vector<Frame> all;
  for (const auto& frame : current.foreach_stack)
    all.emplace_back(frame.index, frame.num_splits.value_or(-1), frame.value.value_or("?"));
  return all;
}

struct Loops {
  mf::Parameter<int> width{3, "Items of the outer foreach"};
  mf::Parameter<int> depth{2, "Items of the inner foreach"};

  mf::Artifact<std::vector<std::string>> outer;
  mf::Artifact<std::vector<int>> inner;
  mf::Artifact<std::string> letter, leaf_name, kept;
  mf::Artifact<std::vector<Frame>> seen;
  mf::Artifact<std::vector<std::string>> leaves;
  mf::Artifact<std::vector<std::int64_t>> order;
  mf::Artifact<std::optional<std::int64_t>> index_in_join;

  void start() {
    std::vector<std::string> letters;
    for (int i = 0; i < *width; ++i) letters.push_back("item " + std::to_string(i));
    outer = letters;
    kept = "from start";
  }
  void body(const std::string& item) {
    letter = item;
    std::vector<int> numbers;
    for (int i = 0; i < *depth; ++i) numbers.push_back(10 * i);
    inner = numbers;
  }
  void leaf(int item, const mf::Current& current) {
    leaf_name = *letter + "/" + std::to_string(item);
    seen = frames(current);
  }
  void inner_join(mf::Inputs<Loops> inputs, const mf::Current& current) {
    std::vector<std::string> names;
    for (const auto& input : inputs) names.push_back(*input.leaf_name);
    leaves = names;
    seen = frames(current);
    index_in_join = current.index();
  }
  void join(mf::Inputs<Loops> inputs, const mf::Current& current) {
    std::vector<std::string> names;
    std::vector<std::int64_t> indices;
    for (const auto& input : inputs) {
      names.insert(names.end(), input.leaves->begin(), input.leaves->end());
      indices.push_back(input.index_in_join->value());
    }
    leaves = names;
    order = indices;
    index_in_join = current.index();
  }
  void end() {}

  static constexpr auto graph() {
    using F = Loops;
    return mf::graph(mf::step<&F::start>().foreach<&F::outer, &F::body>(),
                     mf::step<&F::body>().foreach<&F::inner, &F::leaf>(), mf::step<&F::leaf>().to<&F::inner_join>(),
                     mf::step<&F::inner_join>().to<&F::join>(), mf::step<&F::join>().to<&F::end>(),
                     mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Loops>(argc, argv); }
