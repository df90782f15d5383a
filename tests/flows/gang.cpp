// A gang, and what can happen to it. FAIL, DIE and BLOCK name a step or node (`train:1`, `join`) or, with `@0`, one of
// its attempts, that throws, ends its process, or waits to be killed, having said so in the named pipe PIPE. With
// BARRIER, a folder of named pipes, no node ends before all have begun. tests/flows_python/gang.py is its twin.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

inline std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

inline void misbehave(const mf::Current& current) {
  const auto mark = current.step_name + (current.parallel ? ':' + std::to_string(current.parallel->node_index) : "");
  const auto is_meant = [&](const char* name) {
    const auto asked = variable(name);
    return asked == mark || asked == mark + '@' + std::to_string(current.retry_count);
  };
  if (is_meant("FAIL")) throw std::runtime_error("as asked");
  if (is_meant("DIE")) ::_exit(9);
  if (!is_meant("BLOCK")) return;
  if (const auto pipe = variable("PIPE"); !pipe.empty()) std::ofstream(pipe) << "blocked" << std::flush;
  for (;;) ::pause();
}

/// Opening a named pipe waits for the one who opens its other end.
inline void meet_others(const mf::Parallel& place, const std::string& folder) {
  const auto meet = [&](int node, bool writes) {
    const auto pipe = folder + '/' + std::to_string(node);
    if (writes)
      std::ofstream(pipe) << "here";
    else
      std::ifstream(pipe).get();
  };
  for (const bool first_round : {true, false})
    for (int node = 1; node < place.num_nodes; ++node)
      if (place.node_index == 0 || place.node_index == node) meet(node, (place.node_index == 0) != first_round);
}

struct Gang {
  mf::Parameter<int> nodes{3, "How many nodes"};
  mf::Artifact<int> base, node;
  mf::Artifact<std::string> place;
  mf::Artifact<std::vector<int>> all;
  mf::Artifact<std::vector<std::string>> places;

  void start(const mf::Current& current) {
    base = 7;
    misbehave(current);
  }
  void train(const mf::Current& current) {
    const auto& own = *current.parallel;
    node = *base + 10 * own.node_index;
    place = own.main_ip + ' ' + std::to_string(own.num_nodes) + ' ' + std::to_string(own.node_index) + ' ' +
            own.control_task_id + " | " + variable("MF_PARALLEL_MAIN_IP") + ' ' + variable("MF_PARALLEL_NUM_NODES") +
            ' ' + variable("MF_PARALLEL_NODE_INDEX") + ' ' + variable("MF_PARALLEL_CONTROL_TASK_ID");
    std::printf("node %d attempt %d\n", own.node_index, current.retry_count);
    misbehave(current);
    if (const auto folder = variable("BARRIER"); !folder.empty()) meet_others(own, folder);
  }
  void join(mf::Inputs<Gang> inputs, const mf::Current& current) {
    std::vector<int> nodes_seen;
    std::vector<std::string> places_seen;
    for (const auto& input : inputs) {
      nodes_seen.push_back(*input.node);
      places_seen.push_back(*input.place);
    }
    all = nodes_seen;
    places = places_seen;
    mf::merge_artifacts(*this, inputs, {.exclude = {"node", "place"}});
    misbehave(current);
  }
  void end(const mf::Current& current) { misbehave(current); }

  static constexpr auto graph() {
    using F = Gang;
    return mf::graph(mf::step<&F::start>().num_parallel<&F::nodes, &F::train>(),
                     mf::step<&F::train>(mf::parallel()).to<&F::join>(), mf::step<&F::join>().to<&F::end>(),
                     mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Gang>(argc, argv); }
