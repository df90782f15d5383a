// A gang for each item of a foreach, whose failures are caught. FAIL, DIE and HANG name a node, such as `1,0` for the
// first node of the second squad, that throws, ends its process, or hangs.
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

struct Squads {
  mf::Artifact<std::vector<std::string>> names, reports, all;
  mf::Artifact<std::string> colour, report;
  mf::Artifact<std::optional<mf::Failure>> trouble;

  void start() { names = {"red", "blue"}; }
  void plan(const std::string& item) { colour = item; }
  void work(const mf::Current& current) {
    std::string mark;
    for (const auto& frame : current.foreach_stack) mark += (mark.empty() ? "" : ",") + std::to_string(frame.index);
    report = *colour + ' ' + mark;
    const auto is_meant = [&](const char* variable) {
      const char* value = std::getenv(variable);
      return value != nullptr && mark == value;
    };
    if (is_meant("FAIL")) throw std::runtime_error("as asked");
    if (is_meant("DIE")) ::_exit(9);
    if (is_meant("HANG"))
      for (;;) ::pause();
  }
  void gather(mf::Inputs<Squads> inputs) {
    std::vector<std::string> lines;
    for (const auto& input : inputs) {
      const auto& failure = *input.trouble;
      lines.push_back(input.report.value_or("none") + (failure ? ": " + failure->type : ""));
    }
    reports = lines;
  }
  void meet(mf::Inputs<Squads> inputs) {
    std::vector<std::string> lines;
    for (const auto& input : inputs) lines.insert(lines.end(), input.reports->begin(), input.reports->end());
    all = lines;
    if (std::getenv("FAIL_MEET") != nullptr) throw std::runtime_error("as asked");
  }
  void end() {}

  static constexpr auto graph() {
    using F = Squads;
    return mf::graph(mf::step<&F::start>().foreach<&F::names, &F::plan>(),
                     mf::step<&F::plan>().num_parallel<&F::work>(2),
                     mf::step<&F::work>(mf::parallel(), mf::timeout({.seconds = 2}), mf::catch_exception<&F::trouble>())
                         .to<&F::gather>(),
                     mf::step<&F::gather>().to<&F::meet>(), mf::step<&F::meet>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Squads>(argc, argv); }
