#include <gtest/gtest.h>

#include "fake_task.hpp"

namespace mf = metaflow;

namespace {

using mf::testing::FakeTask;
using Names = std::vector<std::string>;

struct Merging {
  mf::Parameter<int> depth{1, "Levels"};
  mf::Artifact<std::string> same, diff, only_left;
  mf::Artifact<Names> items;

  static inline std::function<void(Merging&, mf::Inputs<Merging>)> body;

  void start() {}
  void left() {}
  void right() {}
  void join(mf::Inputs<Merging> inputs) { body(*this, inputs); }
  void end() {}
  static constexpr auto graph() {
    using F = Merging;
    return mf::graph(mf::step<&F::start>().to<&F::left, &F::right>(), mf::step<&F::left>().to<&F::join>(),
                     mf::step<&F::right>().to<&F::join>(), mf::step<&F::join>().to<&F::end>(), mf::step<&F::end>());
  }
};

/// A join of left and right, which agree on `same` and `_hidden` and differ on `diff`.
class Merge : public ::testing::Test {
 protected:
  Merge() {
    task.before.with("depth", 3);
    auto& left = task.inputs.emplace_back();
    left.step = "left";
    left.pathspec = "12/left/4";
    left.with("same", std::string("s")).with("diff", std::string("l")).with("only_left", std::string("o"));
    left.with("_hidden", 1).with("depth", 3).with("_task_ok", true);
    auto& right = task.inputs.emplace_back();
    right.step = "right";
    right.pathspec = "12/right/5";
    right.with("same", std::string("s")).with("diff", std::string("r")).with("_hidden", 1).with("depth", 3);
    right.with("_task_ok", false);
  }

  mf::StepResult run(std::function<void(Merging&, mf::Inputs<Merging>)> body) {
    Merging::body = std::move(body);
    return task.run<Merging>("join");
  }
  std::string message(std::function<void(Merging&, mf::Inputs<Merging>)> body) {
    const auto result = run(std::move(body));
    return result.failure ? result.failure->headline + ": " + result.failure->message : "";
  }

  FakeTask task;
};

TEST_F(Merge, TakesOverWhatTheInputsAgreeOnWithoutLoadingIt) {
  EXPECT_EQ(message([](Merging& flow, auto inputs) {
              flow.diff = "resolved";
              mf::merge_artifacts(flow, inputs);
            }),
            "");
  EXPECT_EQ(task.left<std::string>("same"), "s");
  EXPECT_EQ(task.left<std::string>("only_left"), "o");
  EXPECT_EQ(task.left<std::string>("diff"), "resolved");
  EXPECT_EQ(task.inputs[0].loads + task.inputs[1].loads, 0);
}

TEST_F(Merge, TakesOverWhatHasNoMemberButNothingOfTheEngines) {
  run([](Merging& flow, auto inputs) {
    flow.diff = "resolved";
    mf::merge_artifacts(flow, inputs);
  });
  EXPECT_TRUE(task.after.find("_hidden"));
  EXPECT_FALSE(task.after.find("_task_ok"));
  EXPECT_FALSE(task.after.find("depth"));
}

TEST_F(Merge, NamesOnlyWhatIsInConflictAndTakesOverNothing) {
  EXPECT_EQ(message([](Merging& flow, auto inputs) { mf::merge_artifacts(flow, inputs); }),
            "Unhandled artifacts in merge: the inputs of this join have different values for 'diff': set each of them "
            "before merge_artifacts, or list them in .exclude");
  EXPECT_TRUE(task.after.artifacts.empty());
}

TEST_F(Merge, LeavesOutWhatIsExcluded) {
  EXPECT_EQ(message([](Merging& flow, auto inputs) { mf::merge_artifacts(flow, inputs, {.exclude = {"diff"}}); }), "");
  EXPECT_FALSE(task.after.find("diff"));
  EXPECT_TRUE(task.after.find("same"));
}

TEST_F(Merge, TakesOverOnlyWhatIsIncluded) {
  EXPECT_EQ(message([](Merging& flow, auto inputs) { mf::merge_artifacts(flow, inputs, {.include = {"same"}}); }), "");
  EXPECT_FALSE(task.after.find("only_left"));
  EXPECT_TRUE(task.after.find("same"));
}

TEST_F(Merge, NamesWhatIsIncludedButNowhere) {
  EXPECT_EQ(message([](Merging& flow, auto inputs) {
              mf::merge_artifacts(flow, inputs, {.include = {"same", "nowhere"}});
            }),
            "Missing artifacts in merge: no input of this join has the artifacts 'nowhere' named in .include");
  EXPECT_FALSE(task.after.find("same"));
}

TEST_F(Merge, RefusesBothLists) {
  EXPECT_EQ(message([](Merging& flow, auto inputs) {
              mf::merge_artifacts(flow, inputs, {.exclude = {"diff"}, .include = {"same"}});
            }),
            ": merge_artifacts takes either .include or .exclude, not both");
}

TEST_F(Merge, MergedArtifactsCanBeReadAtOnce) {
  EXPECT_EQ(message([](Merging& flow, auto inputs) {
              EXPECT_FALSE(flow.same.has_value());
              mf::merge_artifacts(flow, inputs, {.exclude = {"diff"}});
              EXPECT_EQ(*flow.same, "s");
            }),
            "");
}

TEST_F(Merge, AJoinBeginsWithParametersOnly) {
  EXPECT_EQ(message([](Merging& flow, auto) {
              EXPECT_EQ(*flow.depth, 3);
              *flow.same;
            }),
            "Artifact not set: flow Merging has no artifact 'same' in step 'join': a join begins with parameters only; "
            "read it from one of the inputs, or call mf::merge_artifacts first");
}

TEST_F(Merge, TakesOneBranchesValueByKey) {
  run([](Merging& flow, auto inputs) { flow.diff = inputs[1].diff; });
  EXPECT_EQ(task.left<std::string>("diff"), "r");
  EXPECT_EQ(task.inputs[1].loads, 0);
}

TEST_F(Merge, InputsAreFoundByStepName) {
  EXPECT_EQ(message([](Merging&, auto inputs) {
              EXPECT_EQ(inputs.size(), 2u);
              EXPECT_EQ(*inputs.at("left").diff, "l");
              EXPECT_EQ(*inputs["right"].diff, "r");
              EXPECT_EQ(*inputs.template from<&Merging::left>().diff, "l");
              EXPECT_FALSE(inputs.has("start"));
              EXPECT_EQ(inputs.pathspec(1), "12/right/5");
              inputs.at("start");
            }),
            ": this join has no input from step 'start'; its inputs come from 'left', 'right'");
}

TEST_F(Merge, InputsMayBeGoneThroughAgain) {
  run([](Merging& flow, auto inputs) {
    std::string all;
    for (int round = 0; round < 2; ++round)
      for (const auto& input : inputs) all += *input.diff;
    flow.diff = all;
  });
  EXPECT_EQ(task.left<std::string>("diff"), "lrlr");
  EXPECT_EQ(task.inputs[0].loads, 1);
}

TEST(Inputs, TellIndexStackAndItemOfEach) {
  FakeTask task;
  for (int i = 0; i < 2; ++i) {
    auto& input = task.inputs.emplace_back();
    input.stack = {{"left", "items", 2, i, "?"}};
    input.with("items", Names{"a", "b"});
  }
  Merging::body = [](Merging& flow, mf::Inputs<Merging> inputs) {
    EXPECT_EQ(inputs.index(1), 1);
    EXPECT_EQ(inputs.foreach_stack(0).front().variable, "items");
    EXPECT_EQ(mf::item<&Merging::items>(inputs[0]), "a");
    EXPECT_EQ(mf::item<&Merging::items>(inputs[1]), "b");
    EXPECT_EQ(mf::item<&Merging::items>(flow), std::nullopt);
  };
  EXPECT_FALSE(task.run<Merging>("join").failure);
}

TEST(Inputs, TenThousandAreMadeWhenAskedFor) {
  FakeTask task;
  task.inputs.resize(10'000);
  task.inputs.back().with("diff", std::string("last"));
  Merging::body = [](Merging&, mf::Inputs<Merging> inputs) { EXPECT_EQ(*inputs[9'999].diff, "last"); };
  EXPECT_FALSE(task.run<Merging>("join").failure);
}

}  // namespace
