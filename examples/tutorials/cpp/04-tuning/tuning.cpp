#include <metaflow/flow.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace mf = metaflow;

/// A file in the folder of this source.
std::string beside(const char* name) { return std::filesystem::path(__FILE__).replace_filename(name).string(); }

/// A penguin as the model sees it. The measures are bill length and depth, flipper length and body mass.
struct Penguin {
  std::string sex;
  std::array<double, 4> measures{};

  static constexpr auto fields() { return mf::fields<&Penguin::sex, &Penguin::measures>(); }
};

/// One point of the grid: how many neighbours vote, and how much a vote counts.
struct Setting {
  int neighbours = 1;
  std::string votes;  ///< "equal", or "near" for those nearer count more

  static constexpr auto fields() { return mf::fields<&Setting::neighbours, &Setting::votes>(); }
};

std::vector<Penguin> read_penguins(const std::string& csv) {
  std::vector<Penguin> penguins;
  std::istringstream in(csv);
  std::string line;
  std::getline(in, line);  // the names of the columns
  while (std::getline(in, line)) {
    if (line.find("NA") != std::string::npos) continue;  // not measured, or of unknown sex
    std::istringstream row(line);
    Penguin penguin;
    std::string species, island, cell;
    std::getline(row, species, ',');
    std::getline(row, island, ',');
    for (double& measure : penguin.measures) {
      std::getline(row, cell, ',');
      measure = std::stod(cell);
    }
    std::getline(row, penguin.sex, ',');
    penguins.push_back(penguin);
  }
  return penguins;
}

/// Brings each measure to mean 0 and deviation 1, judged by `known` alone: what is held out must not leak into the model.
void standardize(const std::vector<Penguin>& known, std::vector<Penguin>& penguins) {
  for (std::size_t m = 0; m < 4; ++m) {
    double sum = 0, squares = 0;
    for (const auto& penguin : known) sum += penguin.measures[m];
    const double mean = sum / static_cast<double>(known.size());
    for (const auto& penguin : known) squares += std::pow(penguin.measures[m] - mean, 2);
    const double deviation = std::sqrt(squares / static_cast<double>(known.size()));
    for (auto& penguin : penguins) penguin.measures[m] = (penguin.measures[m] - mean) / deviation;
  }
}

/// The sex most of the nearest neighbours vote for.
std::string predict(const std::vector<Penguin>& known, const Setting& setting, const Penguin& unknown) {
  std::vector<std::pair<double, const std::string*>> nearest;
  for (const auto& penguin : known) {
    double square = 0;
    for (std::size_t m = 0; m < 4; ++m) square += std::pow(penguin.measures[m] - unknown.measures[m], 2);
    nearest.emplace_back(std::sqrt(square), &penguin.sex);
  }
  const auto voters = std::min<std::size_t>(static_cast<std::size_t>(setting.neighbours), nearest.size());
  std::partial_sort(nearest.begin(), nearest.begin() + static_cast<std::ptrdiff_t>(voters), nearest.end(),
                    [](const auto& a, const auto& b) { return a.first < b.first; });
  std::map<std::string, double> votes;
  for (std::size_t i = 0; i < voters; ++i)
    votes[*nearest[i].second] += setting.votes == "near" ? 1 / (nearest[i].first + 1e-9) : 1;
  const auto less = [](const auto& a, const auto& b) { return a.second < b.second; };
  return std::max_element(votes.begin(), votes.end(), less)->first;
}

/// How many of `unknown` are told right.
int count_right(const std::vector<Penguin>& known, std::vector<Penguin> unknown, const Setting& setting) {
  auto scaled = known;
  standardize(known, scaled);
  standardize(known, unknown);
  return static_cast<int>(std::count_if(unknown.begin(), unknown.end(), [&](const Penguin& penguin) {
    return predict(scaled, setting, penguin) == penguin.sex;
  }));
}

/// Share told right when each fold in turn is told by the others.
double cross_validate(const std::vector<Penguin>& penguins, const Setting& setting, int folds) {
  int right = 0;
  for (int fold = 0; fold < folds; ++fold) {
    std::vector<Penguin> known, unknown;
    for (std::size_t i = 0; i < penguins.size(); ++i)
      (static_cast<int>(i) % folds == fold ? unknown : known).push_back(penguins[i]);
    right += count_right(known, unknown, setting);
  }
  return right / static_cast<double>(penguins.size());
}

/// Tunes a nearest-neighbour model that tells female from male penguins, of whatever species, by four measures.
struct TuningFlow {
  mf::IncludeFile<std::string> data{beside("penguins.csv"), "Table of penguins"};
  mf::Parameter<int> largest_k{21, "Try 1, 3, 5, ... neighbours, up to this number"};
  mf::Parameter<int> folds{5, "Parts of the cross-validation"};
  mf::Parameter<double> held_out{0.25, "Share of the penguins kept for the final score"};
  mf::Parameter<unsigned> seed{1, "Of the shuffle that decides who is held out"};

  mf::Artifact<std::vector<Penguin>> training, test;
  mf::Artifact<std::vector<Setting>> grid;
  mf::Artifact<Setting> setting;
  mf::Artifact<double> score;
  mf::Artifact<std::map<int, std::map<std::string, double>>> scores;
  mf::Artifact<Setting> best;
  mf::Artifact<double> best_score, final_score;

  void start() {
    if (*largest_k < 1) throw std::invalid_argument("--largest_k must be at least 1");
    if (*folds < 2) throw std::invalid_argument("--folds must be at least 2");
    if (*held_out <= 0 || *held_out >= 0.9) throw std::invalid_argument("--held_out must be between 0 and 0.9");
    auto penguins = read_penguins(*data);
    std::shuffle(penguins.begin(), penguins.end(), std::mt19937(*seed));
    const auto aside = penguins.begin() + static_cast<std::ptrdiff_t>(*held_out * static_cast<double>(penguins.size()));
    test = std::vector(penguins.begin(), aside);
    training = std::vector(aside, penguins.end());

    std::vector<Setting> settings;
    for (int k = 1; k <= *largest_k; k += 2)
      for (const char* votes : {"equal", "near"}) settings.push_back({k, votes});
    grid = settings;
  }

  /// Sees the training penguins only.
  void judge(const Setting& item) {
    setting = item;
    score = cross_validate(*training, item, *folds);
  }

  void choose(mf::Inputs<TuningFlow> branches) {
    std::map<int, std::map<std::string, double>> all;
    double highest = -1;
    for (const auto& branch : branches) {
      all[branch.setting->neighbours][branch.setting->votes] = *branch.score;
      if (*branch.score > highest) {
        highest = *branch.score;
        best = *branch.setting;
      }
    }
    const auto& held_back = *branches[0].test;
    scores = all;
    best_score = highest;
    final_score = count_right(*branches[0].training, held_back, *best) / static_cast<double>(held_back.size());
  }

  void end() {
    std::printf("Share of penguins told right, in cross-validation:\n");
    std::printf("  %10s %12s %12s\n", "neighbours", "equal votes", "near ones more");
    for (const auto& [neighbours, row] : *scores)
      std::printf("  %10d %11.1f%% %11.1f%%\n", neighbours, 100 * row.at("equal"), 100 * row.at("near"));
    std::printf("Best: %d neighbours, votes %s. Held-out penguins told right: %.1f%%\n", best->neighbours,
                best->votes.c_str(), 100 * *final_score);
  }

  static constexpr auto graph() {
    using F = TuningFlow;
    return mf::graph(
        mf::step<&F::start>(mf::doc("Puts some penguins aside, and lays out the grid.")).foreach<&F::grid, &F::judge>(),
        mf::step<&F::judge>(mf::doc("Scores one point of the grid by cross-validation.")).to<&F::choose>(),
        mf::step<&F::choose>(mf::doc("Lets the best setting meet the held-out penguins.")).to<&F::end>(),
        mf::step<&F::end>(mf::doc("Prints the table of scores.")));
  }
};

int main(int argc, char** argv) { return mf::main<TuningFlow>(argc, argv); }
