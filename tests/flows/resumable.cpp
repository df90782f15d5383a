// One of everything that a resumed run can meet. FAIL, DIE, BLOCK and WAIT name a task, such as `leaf:1,0` or `loop:2`,
// that throws, ends its process, waits to be killed, or waits for a word in the named pipe PIPE. tests/flows_python/resumable.py is its twin.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

inline bool is_named_by(const char* variable, const std::string& mark) {
  const char* value = std::getenv(variable);
  return value != nullptr && mark == value;
}

/// `count` counts the rounds of a step that repeats itself.
inline void misbehave(const mf::Current& current, std::optional<int> count = {}) {
  std::string mark = current.step_name;
  for (const auto& frame : current.foreach_stack)
    mark += (mark == current.step_name ? ":" : ",") + std::to_string(frame.index);
  if (count) mark += ":" + std::to_string(*count);
  if (is_named_by("FAIL", mark)) throw std::runtime_error("as asked");
  if (is_named_by("DIE", mark)) ::_exit(9);
  if (is_named_by("WAIT", mark)) std::ifstream(std::getenv("PIPE")).get();
  if (!is_named_by("BLOCK", mark)) return;
  std::ofstream(std::getenv("PIPE")) << "blocked" << std::flush;
  for (;;) ::pause();
}

struct Resumable {
  mf::Parameter<int> width{3, "Items of the outer foreach"};
  mf::Parameter<int> depth{2, "Items of the inner foreach"};
  mf::Parameter<std::string> mode{"loop", "Where the right branch goes: loop or calm"};

  mf::Artifact<std::vector<std::string>> words, leaves, all;
  mf::Artifact<std::vector<int>> numbers;
  mf::Artifact<std::string> word, leaf_name, again, settled, origin;
  mf::Artifact<int> count;

  void start(const mf::Current& current) {
    std::vector<std::string> items;
    for (int i = 0; i < *width; ++i) items.push_back("w" + std::to_string(i));
    words = items;
    count = 0;
    misbehave(current);
  }
  void left(const mf::Current& current) { misbehave(current); }
  void item(const std::string& text, const mf::Current& current) {
    word = text;
    std::vector<int> items;
    for (int i = 0; i < *depth; ++i) items.push_back(i);
    numbers = items;
    misbehave(current);
  }
  void leaf(int number, const mf::Current& current) {
    leaf_name = *word + "/" + std::to_string(number);
    misbehave(current);
  }
  void gather_leaves(mf::Inputs<Resumable> inputs, const mf::Current& current) {
    std::vector<std::string> names;
    for (const auto& input : inputs) names.push_back(*input.leaf_name);
    leaves = names;
    misbehave(current);
  }
  void gather_items(mf::Inputs<Resumable> inputs, const mf::Current& current) {
    std::vector<std::string> names;
    for (const auto& input : inputs) names.insert(names.end(), input.leaves->begin(), input.leaves->end());
    all = names;
    misbehave(current);
  }
  void right(const mf::Current& current) { misbehave(current); }
  void calm(const mf::Current& current) {
    settled = "calm";
    misbehave(current);
  }
  void loop(const mf::Current& current) {
    count = *count + 1;
    again = *count < 4 ? "yes" : "no";
    misbehave(current, *count);
  }
  void settle(const mf::Current& current) {
    settled = "after " + std::to_string(*count);
    misbehave(current);
  }
  void meet(mf::Inputs<Resumable> inputs, const mf::Current& current) {
    all = *inputs[0].all;
    settled = *inputs[1].settled;
    origin = current.origin_run_id.value_or("none");
    misbehave(current);
  }
  void end(const mf::Current& current) { misbehave(current); }

  static constexpr auto graph() {
    using F = Resumable;
    return mf::graph(
        mf::step<&F::start>().to<&F::left, &F::right>(), mf::step<&F::left>().foreach<&F::words, &F::item>(),
        mf::step<&F::item>().foreach<&F::numbers, &F::leaf>(), mf::step<&F::leaf>().to<&F::gather_leaves>(),
        mf::step<&F::gather_leaves>().to<&F::gather_items>(), mf::step<&F::gather_items>().to<&F::meet>(),
        mf::step<&F::right>().switch_on<&F::mode>(mf::when<&F::loop>("loop"), mf::when<&F::calm>("calm")),
        mf::step<&F::loop>().switch_on<&F::again>(mf::when<&F::loop>("yes"), mf::when<&F::settle>("no")),
        mf::step<&F::calm>().to<&F::settle>(), mf::step<&F::settle>().to<&F::meet>(),
        mf::step<&F::meet>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Resumable>(argc, argv); }
