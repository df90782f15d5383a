// A little of all that a crash can meet, small enough to be crashed at every point: an include file, a foreach whose
// tasks may be tried again, a join, a switch, output. FAIL=end fails the last step. tests/flows_python/crash.py is its twin.
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

struct Crash {
  mf::IncludeFile<std::string> words{"words.txt", "Words, one for each line"};

  mf::Artifact<std::vector<std::string>> items;
  mf::Artifact<std::string> upper, text, size, result;

  void start() {
    std::istringstream lines(*words);
    std::vector<std::string> list;
    for (std::string line; std::getline(lines, line);) list.push_back(line);
    items = list;
  }
  void part(const std::string& item, const mf::Current& current) {
    if (current.index() == 1 && current.retry_count == 0) throw std::runtime_error("the first attempt fails");
    std::printf("part %s\n", item.c_str());
    upper = item + "!";
  }
  void gather(mf::Inputs<Crash> inputs) {
    std::string all;
    for (const auto& input : inputs) all += *input.upper;
    text = all;
  }
  void measure() { size = text->size() > 5 ? "large" : "small"; }
  void large() { result = "large " + *text; }
  void small() { result = "small " + *text; }
  void end() {
    const char* fail = std::getenv("FAIL");
    if (fail != nullptr && fail == std::string("end")) throw std::runtime_error("as asked");
  }

  static constexpr auto graph() {
    using F = Crash;
    return mf::graph(
        mf::step<&F::start>().foreach<&F::items, &F::part>(),
        mf::step<&F::part>(mf::retry({.times = 2})).to<&F::gather>(), mf::step<&F::gather>().to<&F::measure>(),
        mf::step<&F::measure>().switch_on<&F::size>(mf::when<&F::large>("large"), mf::when<&F::small>("small")),
        mf::step<&F::large>().to<&F::end>(), mf::step<&F::small>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Crash>(argc, argv); }
