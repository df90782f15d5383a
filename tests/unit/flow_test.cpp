#include <gtest/gtest.h>

#include "fake_task.hpp"

namespace mf = metaflow;

namespace {

using mf::testing::FakeTask;
using Names = std::vector<std::string>;

struct Films {
  static constexpr std::string_view documentation = "Mean gross of each genre.";

  mf::Parameter<std::string> csv{"movies.csv", "Table of films"};
  mf::Artifact<std::vector<std::string>> genres;
  mf::Artifact<std::string> genre;
  mf::Artifact<double> gross;
  mf::Artifact<std::map<std::string, double>> table;

  void start() { genres = {"comedy", "drama"}; }
  void stats(const std::string& item, const mf::Current& current) {
    genre = item;
    gross = static_cast<double>(item.size()) + static_cast<double>(current.retry_count);
  }
  void join(mf::Inputs<Films> branches) {
    std::map<std::string, double> rows;
    for (const auto& branch : branches) rows[branch.genre] = branch.gross;
    table = rows;
  }
  void end() {}

  static constexpr auto graph() {
    using F = Films;
    return mf::graph(mf::step<&F::start>(mf::doc("Finds the genres")).foreach<&F::genres, &F::stats>(),
                     mf::step<&F::stats>(mf::retry({.times = 3})).to<&F::join>(), mf::step<&F::join>().to<&F::end>(),
                     mf::step<&F::end>());
  }
};

TEST(Program, NamesEverythingAsTheStructDoes) {
  const auto flow = mf::program<Films>().flow;
  EXPECT_EQ(flow.name, "Films");
  EXPECT_EQ(flow.documentation, "Mean gross of each genre.");
  ASSERT_EQ(flow.steps.size(), 4u);
  EXPECT_EQ(flow.steps[0].name, "start");
  EXPECT_EQ(flow.steps[0].transition, mf::model::Transition::foreach);
  EXPECT_EQ(flow.steps[0].foreach_artifact, "genres");
  EXPECT_EQ(flow.steps[0].next, Names{"stats"});
  EXPECT_EQ(flow.steps[0].documentation, "Finds the genres");
  EXPECT_EQ(flow.steps[1].takes, mf::model::Takes::item);
  EXPECT_EQ(flow.steps[2].takes, mf::model::Takes::branches);
  EXPECT_EQ(flow.parameters.at(0).name, "csv");
}

struct Training {
  mf::Artifact<std::uint16_t> nodes;
  mf::Artifact<int> node;

  void start() { nodes = 4; }
  void train(const mf::Current& current) { node = current.parallel->node_index; }
  void join(mf::Inputs<Training>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Training;
    return mf::graph(mf::step<&F::start>().num_parallel<&F::nodes, &F::train>(),
                     mf::step<&F::train>(mf::parallel()).to<&F::join>(), mf::step<&F::join>().to<&F::end>(),
                     mf::step<&F::end>());
  }
};

struct Twice {
  void start() {}
  void train() {}
  void join(mf::Inputs<Twice>) {}
  void end() {}

  static constexpr auto graph() {
    using F = Twice;
    return mf::graph(mf::step<&F::start>().num_parallel<&F::train>(2),
                     mf::step<&F::train>(mf::retry({.times = 1}), mf::parallel()).to<&F::join>(),
                     mf::step<&F::join>().to<&F::end>(), mf::step<&F::end>());
  }
};

TEST(Program, TellsGangs) {
  const auto from_artifact = mf::program<Training>().flow, fixed = mf::program<Twice>().flow;
  EXPECT_EQ(from_artifact.steps[0].transition, mf::model::Transition::parallel);
  EXPECT_EQ(from_artifact.steps[0].next, Names{"train"});
  EXPECT_EQ(from_artifact.steps[0].num_parallel, std::nullopt) << "not known before the run";
  EXPECT_EQ(fixed.steps[0].num_parallel, 2);
  EXPECT_EQ(fixed.steps[1].decorators.back(), (mf::model::Decorator{"parallel", {}}));
}

TEST(Steps, SayHowManyNodesTheirGangHas) {
  FakeTask task;
  EXPECT_EQ(task.run<Training>("start").num_parallel, 4);
  EXPECT_EQ(FakeTask().run<Twice>("start").num_parallel, 2);
}

TEST(Steps, KnowTheirPlaceInTheirGang) {
  FakeTask task;
  task.current_.parallel = mf::Parallel{"127.0.0.1", 4, 2, "7"};
  ASSERT_FALSE(task.run<Training>("train").failure);
  EXPECT_EQ(task.left<int>("node"), 2);
}

TEST(Program, KnowsWhereTheStepsStand) {
  const auto flow = mf::program<Films>().flow;
  EXPECT_TRUE(flow.source_file.ends_with("/flow_test.cpp")) << flow.source_file;
  EXPECT_GT(flow.steps[0].line, 0);
  EXPECT_GE(flow.steps[3].line, flow.steps[0].line);
}

TEST(Program, RetryIsADecorator) {
  const auto flow = mf::program<Films>().flow;
  const mf::model::Decorator retry{"retry", {{"times", "3"}, {"minutes_between_retries", "2"}}};
  EXPECT_EQ(flow.steps[1].decorators, std::vector{retry});
  EXPECT_TRUE(flow.steps[0].decorators.empty());
}

TEST(Step, LeavesWhatItSet) {
  FakeTask task;
  const auto result = task.run<Films>("start");
  EXPECT_FALSE(result.failure);
  EXPECT_EQ(task.left<Names>("genres"), (Names{"comedy", "drama"}));
  EXPECT_EQ(task.stored, Names{"genres"});
}

TEST(Foreach, ShowsEachItem) {
  FakeTask task;
  EXPECT_EQ(task.run<Films>("start").foreach_values, (Names{"comedy", "drama"}));
}

TEST(Foreach, GivesTheBodyItsItemAndCurrent) {
  FakeTask task;
  task.before.with("genres", Names{"comedy", "drama"});
  task.current_.foreach_stack = {{"stats", "genres", 2, 1, "drama"}};
  task.current_.retry_count = 2;
  EXPECT_FALSE(task.run<Films>("stats").failure);
  EXPECT_EQ(task.left<std::string>("genre"), "drama");
  EXPECT_EQ(task.left<double>("gross"), 7);
}

TEST(Join, ReadsEachBranch) {
  FakeTask task;
  task.inputs.emplace_back().with("genre", std::string("comedy")).with("gross", 1.5);
  task.inputs.emplace_back().with("genre", std::string("drama")).with("gross", 2.5);
  EXPECT_FALSE(task.run<Films>("join").failure);
  EXPECT_EQ((task.left<std::map<std::string, double>>("table")),
            (std::map<std::string, double>{{"comedy", 1.5}, {"drama", 2.5}}));
}

struct Decorated {
  mf::Artifact<std::optional<mf::Failure>> trouble;

  void start() {}
  void end() {}

  static constexpr auto graph() {
    using F = Decorated;
    return mf::graph(
        mf::step<&F::start>(mf::retry({.times = 1}), mf::timeout({.seconds = 3, .hours = 1}),
                            mf::catch_exception<&F::trouble>(), mf::environment({{"A", "b"}, {"C", "d"}}),
                            mf::resources({.cpu = 0.5, .gpu = 1}), mf::secrets({"inline.x", R"({"type": "inline"})"}))
            .to<&F::end>(),
        mf::step<&F::end>(
            mf::catch_exception({.print_exception = false}),
            mf::batch(
                {.cpu = 2, .image = "films:1", .swappiness = 0, .host_volumes = {"/data"}, .tags = {"team=films=1"}})));
  }
};

TEST(Program, SettingsBecomeTheDecoratorsThatPythonWouldHave) {
  using Attributes = std::vector<std::pair<std::string, std::string>>;
  const auto steps = mf::program<Decorated>().flow.steps;
  std::map<std::string, Attributes> found;
  for (const auto& decorator : steps[0].decorators) {
    EXPECT_TRUE(decorator.statically_defined);
    found[decorator.name] = decorator.attributes;
  }
  EXPECT_EQ(found["retry"], (Attributes{{"times", "1"}, {"minutes_between_retries", "2"}}));
  EXPECT_EQ(found["timeout"], (Attributes{{"seconds", "3"}, {"minutes", "0"}, {"hours", "1"}}));
  EXPECT_EQ(found["catch"], (Attributes{{"var", "\"trouble\""}, {"print_exception", "true"}}));
  EXPECT_EQ(found["environment"], (Attributes{{"vars", R"({"A": "b", "C": "d"})"}}));
  EXPECT_EQ(
      found["resources"],
      (Attributes{{"cpu", "0.5"}, {"gpu", "1"}, {"disk", "null"}, {"memory", "4096"}, {"shared_memory", "null"}}));
  EXPECT_EQ(
      found["secrets"],
      (Attributes{{"sources", R"(["inline.x", {"type": "inline"}])"}, {"role", "null"}, {"allow_override", "false"}}));
  EXPECT_EQ(steps[1].decorators.at(0).attributes, (Attributes{{"var", "null"}, {"print_exception", "false"}}));
}

TEST(Program, BatchHasTheAttributesThatPythonWouldHave) {
  const auto step = mf::program<Decorated>().flow.steps.at(1);
  const auto& decorator = step.decorators.at(1);
  std::map<std::string, std::string> found(decorator.attributes.begin(), decorator.attributes.end());
  EXPECT_EQ(found.size(), 25u);
  EXPECT_EQ(found["cpu"], "2");
  EXPECT_EQ(found["memory"], "null");
  EXPECT_EQ(found["image"], "\"films:1\"");
  EXPECT_EQ(found["swappiness"], "0");
  EXPECT_EQ(found["max_swap"], "null");
  EXPECT_EQ(found["host_volumes"], R"(["/data"])");
  EXPECT_EQ(found["aws_batch_tags"], R"({"team": "films=1"})");
}

}  // namespace
