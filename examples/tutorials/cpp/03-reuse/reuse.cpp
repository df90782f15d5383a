#include <metaflow/client.hpp>
#include <metaflow/flow.hpp>

#include <cmath>
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>

namespace mf = metaflow;

/// As episode 02-statistics has left it: fields are found by name, so that each program names those that it needs.
struct Summary {
  double mean = 0, deviation = 0;

  static constexpr auto fields() { return mf::fields<&Summary::mean, &Summary::deviation>(); }
};

/// Guesses the species of a penguin from its weight, with what StatisticsFlow found out.
struct ReuseFlow {
  mf::Parameter<double> mass{5200, "Body mass of the penguin, in grams"};

  mf::Artifact<std::string> rests_on;
  mf::Artifact<std::map<std::string, double>> likelihoods;
  mf::Artifact<std::string> guess;

  /// Reads the latest successful run of the other flow, and keeps its name, so that one can tell later what this rests on.
  void start() {
    const auto run = mf::client::Flow("StatisticsFlow").latest_successful_run();
    if (!run) throw std::runtime_error("no run of StatisticsFlow was successful yet; run episode 02-statistics first");
    rests_on = run->pathspec();
    std::map<std::string, double> found;
    const auto table = run->artifact<std::map<std::string, Summary>>("table").value();
    for (const auto& [species, row] : table) {
      const double distance = (*mass - row.mean) / row.deviation;
      found[species] = std::exp(-distance * distance / 2) / row.deviation;  // the normal curve at this mass
    }
    likelihoods = found;
  }

  void end() {
    double sum = 0, best = 0;
    for (const auto& [species, likelihood] : *likelihoods) {
      sum += likelihood;
      if (likelihood > best) {
        best = likelihood;
        guess = species;
      }
    }
    std::printf("By %s, a penguin of %.0f g is\n", rests_on->c_str(), *mass);
    for (const auto& [species, likelihood] : *likelihoods)
      std::printf("  %-10s with probability %.2f\n", species.c_str(), likelihood / sum);
  }

  static constexpr auto graph() {
    using F = ReuseFlow;
    return mf::graph(mf::step<&F::start>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<ReuseFlow>(argc, argv); }
