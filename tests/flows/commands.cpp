// What the command line is tried on: parameters of several kinds, a branch, a join, a foreach, output on both streams.
#include <cstdio>
#include <string>
#include <vector>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

enum class Speed { slow, fast };

struct Commands {
  mf::Parameter<int> count{3, "How many items"};
  mf::Parameter<double> rate{0.5, "A share"};
  mf::Parameter<bool> deep{false, "Yes or no"};
  mf::Parameter<Speed> speed{Speed::slow, "How fast"};
  mf::Parameter<std::string> who{mf::required, "Who asks"};
  mf::Parameter<mf::Json> settings{"{}", "More, as JSON"};
  mf::IncludeFile<std::string> notes{"", "Text to take along"};

  mf::Artifact<std::vector<int>> items;
  mf::Artifact<int> item_square, sum;
  mf::Artifact<std::string> greeting, large;

  void start() {
    std::printf("  hello %s\n", who->c_str());
    std::fprintf(stderr, "a warning\n");
    greeting = "hello " + *who;
    large = std::string(5000, 'x');
    std::vector<int> list;
    for (int i = 1; i <= *count; ++i) list.push_back(i);
    items = list;
  }
  void square(const int& item) { item_square = item * item; }
  void add(mf::Inputs<Commands> branches) {
    int total = 0;
    for (const auto& branch : branches) total += *branch.item_square;
    sum = total;
  }
  void end() {
    std::printf("sum %d\n", *sum);
    if (notes.has_value()) std::printf("notes: %s\n", notes->c_str());
  }

  static constexpr auto graph() {
    using F = Commands;
    return mf::graph(mf::step<&F::start>(mf::doc("Makes the items.")).foreach<&F::items, &F::square>(),
                     mf::step<&F::square>(mf::retry({.times = 1})).to<&F::add>(), mf::step<&F::add>().to<&F::end>(),
                     mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Commands>(argc, argv); }
