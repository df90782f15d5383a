#include <metaflow/flow.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace mf = metaflow;

/// A file in the folder of this source.
std::string beside(const char* name) { return std::filesystem::path(__FILE__).replace_filename(name).string(); }

/// Columns of penguins.csv.
enum Column { species_column, island_column, bill_length, bill_depth, flipper_length, body_mass, sex, year };

std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> found;
  std::istringstream in(line);
  for (std::string cell; std::getline(in, cell, ',');) found.push_back(cell);
  return found;
}

/// Looks at the penguins of one island: which species live there, and which penguins are the heaviest.
struct PenguinsFlow {
  mf::IncludeFile<std::string> data{beside("penguins.csv"), "Table of penguins"};
  mf::Parameter<std::string> island{"Biscoe", "Biscoe, Dream or Torgersen"};
  mf::Parameter<int> count{5, "How many of the heaviest penguins to list"};

  mf::Artifact<std::vector<std::vector<std::string>>> penguins;
  mf::Artifact<std::map<std::string, int>> species;
  mf::Artifact<std::vector<std::string>> heaviest;

  /// Keeps the rows of the island.
  void start() {
    std::vector<std::vector<std::string>> rows;
    std::istringstream in(*data);
    for (std::string line; std::getline(in, line);) {
      if (auto row = cells(line); row.at(island_column) == *island) rows.push_back(row);
    }
    if (rows.empty())
      throw std::invalid_argument("no penguin lives on '" + *island + "'; try Biscoe, Dream or Torgersen");
    penguins = rows;
  }

  /// One of two steps that run at the same time.
  void count_species() {
    std::map<std::string, int> counts;
    for (const auto& row : *penguins) ++counts[row[species_column]];
    species = counts;
  }

  void find_heaviest() {
    std::vector<std::pair<int, std::string>> weighed;
    for (const auto& row : *penguins) {
      if (row[body_mass] != "NA")
        weighed.emplace_back(std::stoi(row[body_mass]), row[species_column] + ", " + row[sex]);
    }
    std::sort(weighed.rbegin(), weighed.rend());
    weighed.resize(std::min<std::size_t>(weighed.size(), std::max(*count, 0)));
    std::vector<std::string> list;
    for (const auto& [grams, who] : weighed) list.push_back(std::to_string(grams) + " g: " + who);
    heaviest = list;
  }

  /// Waits for both, and takes from each what it made.
  void join(mf::Inputs<PenguinsFlow> branches) {
    species = branches.from<&PenguinsFlow::count_species>().species;
    heaviest = branches.from<&PenguinsFlow::find_heaviest>().heaviest;
  }

  void end() {
    std::printf("Penguins of %s:\n", island->c_str());
    for (const auto& [name, number] : *species) std::printf("  %3d %s\n", number, name.c_str());
    std::printf("The heaviest:\n");
    for (const auto& line : *heaviest) std::printf("  %s\n", line.c_str());
  }

  static constexpr auto graph() {
    using F = PenguinsFlow;
    return mf::graph(mf::step<&F::start>().to<&F::count_species, &F::find_heaviest>(),
                     mf::step<&F::count_species>().to<&F::join>(), mf::step<&F::find_heaviest>().to<&F::join>(),
                     mf::step<&F::join>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<PenguinsFlow>(argc, argv); }
