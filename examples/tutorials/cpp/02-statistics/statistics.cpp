#include <metaflow/flow.hpp>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

namespace mf = metaflow;

/// A file in the folder of this source.
std::string beside(const char* name) { return std::filesystem::path(__FILE__).replace_filename(name).string(); }

/// Of the body mass of one species, in grams.
struct Summary {
  int count = 0;
  double mean = 0, deviation = 0;

  static constexpr auto fields() { return mf::fields<&Summary::count, &Summary::mean, &Summary::deviation>(); }
};

Summary summarize(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {static_cast<int>(values.size()), mean, std::sqrt(squares / (count - 1))};
}

/// Statistics of body mass, one task for each species.
struct StatisticsFlow {
  mf::IncludeFile<std::string> data{beside("penguins.csv"), "Table of penguins"};

  mf::Artifact<std::map<std::string, std::vector<double>>> masses;
  mf::Artifact<std::vector<std::string>> species;
  mf::Artifact<std::string> kind;
  mf::Artifact<Summary> summary;
  mf::Artifact<std::map<std::string, Summary>> table;

  /// Sorts the body masses by species; what was not weighed is left out.
  void start() {
    std::map<std::string, std::vector<double>> found;
    std::istringstream in(*data);
    std::string line;
    std::getline(in, line);  // the names of the columns
    while (std::getline(in, line)) {
      std::istringstream row(line);
      std::vector<std::string> cells;
      for (std::string cell; std::getline(row, cell, ',');) cells.push_back(cell);
      if (cells.at(5) != "NA") found[cells.at(0)].push_back(std::stod(cells.at(5)));
    }
    std::vector<std::string> names;
    for (const auto& [each, _] : found) names.push_back(each);
    masses = found;
    species = names;
  }

  /// Runs once for each item of `species`.
  void compute(const std::string& item) {
    kind = item;
    summary = summarize(masses->at(item));
  }

  void join(mf::Inputs<StatisticsFlow> branches) {
    std::map<std::string, Summary> rows;
    for (const auto& branch : branches) rows[*branch.kind] = *branch.summary;
    table = rows;
  }

  void end() {
    std::printf("%-10s %7s %10s %10s\n", "species", "count", "mean (g)", "dev. (g)");
    for (const auto& [each, row] : *table)
      std::printf("%-10s %7d %10.0f %10.0f\n", each.c_str(), row.count, row.mean, row.deviation);
  }

  static constexpr auto graph() {
    using F = StatisticsFlow;
    return mf::graph(mf::step<&F::start>().foreach<&F::species, &F::compute>(), mf::step<&F::compute>().to<&F::join>(),
                     mf::step<&F::join>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<StatisticsFlow>(argc, argv); }
