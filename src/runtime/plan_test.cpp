#include "runtime/plan.hpp"

#include <map>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace metaflow::runtime {
namespace {

using model::Transition;
using testing::ElementsAre;
using testing::IsEmpty;

model::Step step(std::string name, Transition transition, std::vector<std::string> next,
                 model::Takes takes = model::Takes::nothing) {
  model::Step step;
  step.name = std::move(name);
  step.transition = transition;
  step.next = std::move(next);
  step.takes = takes;
  return step;
}
model::Step linear(std::string name, std::string next) {
  return step(std::move(name), Transition::linear, {std::move(next)});
}
model::Step join(std::string name, std::string next) {
  return step(std::move(name), Transition::linear, {std::move(next)}, model::Takes::branches);
}
model::Step last(std::string name = "end") { return step(std::move(name), Transition::none, {}); }

TaskOutcome went_to(std::vector<std::string> next, std::vector<std::string> values = {}) {
  return {.succeeded = true, .next = std::move(next), .foreach_values = std::move(values)};
}
TaskOutcome began_gang(std::string next, int nodes) {
  return {.succeeded = true, .next = {std::move(next)}, .num_parallel = nodes};
}

/// A plan that is told what of an earlier run is finished, and says what is left.
class PlanReplay : public testing::Test {
 protected:
  void flow(std::vector<model::Step> steps) {
    flow_.name = "Flow";
    flow_.steps = std::move(steps);
    graph_.emplace(flow_);
    plan_.emplace(*graph_);
  }

  /// `leaf[1,0]`, or `loop[]2` for the round with number 2.
  std::string name_of(const PlannedTask& task) const {
    return fmt::format("{}[{}]{}", flow_.steps[task.step].name, fmt::join(foreach_indices(task), ","),
                       task.iteration == 0 ? "" : std::to_string(task.iteration));
  }

  /// Finished tasks by name get ids from 1, in this order.
  void replay(const std::vector<std::pair<std::string, TaskOutcome>>& finished) {
    plan_->replay([&](const PlannedTask& task) {
      std::vector<KnownEnd> ends;
      for (const auto& node : nodes_of(task))
        for (std::size_t i = 0; i < finished.size(); ++i)
          if (finished[i].first == name_of(node)) ends.push_back({i + 1, &finished[i].second});
      if (ends.size() != nodes_of(task).size()) ends.clear();
      return ends;
    });
  }

  /// What is ready, with the ids it starts from: `join[]<2,3`.
  std::vector<std::string> left() {
    std::vector<std::string> names;
    while (plan_->ready_count() > 0) {
      const auto task = plan_->take();
      std::vector<std::uint64_t> inputs;
      for (const auto& input : task.inputs) inputs.push_back(input.task);
      names.push_back(fmt::format("{}<{}", name_of(task), fmt::join(inputs, ",")));
    }
    return names;
  }

  model::Flow flow_;
  std::optional<model::Graph> graph_;
  std::optional<Plan> plan_;
};

TEST_F(PlanReplay, NothingFinishedLeavesTheFirstStep) {
  flow({linear("start", "end"), last()});
  replay({});
  EXPECT_THAT(left(), ElementsAre("start[]<0"));
}

TEST_F(PlanReplay, AllFinishedLeavesNothing) {
  flow({linear("start", "end"), last()});
  replay({{"start[]", went_to({"end"})}, {"end[]", went_to({})}});
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(PlanReplay, OnlyTheMissingChildrenOfAForeachAreLeft) {
  flow({step("start", Transition::foreach, {"body"}), linear("body", "join"), join("join", "end"), last()});
  replay({{"start[]", went_to({"body"}, {"a", "b", "c", "d"})},
          {"body[3]", went_to({"join"})},
          {"body[1]", went_to({"join"})}});
  EXPECT_THAT(left(), ElementsAre("body[0]<1", "body[2]<1"));
}

TEST_F(PlanReplay, AJoinGetsOldAndNewTasksInSplitOrder) {
  flow({step("start", Transition::foreach, {"body"}), linear("body", "join"), join("join", "end"), last()});
  replay({{"start[]", went_to({"body"}, {"a", "b", "c"})},
          {"body[2]", went_to({"join"})},
          {"body[0]", went_to({"join"})}});
  plan_->finish(plan_->take(), 9, went_to({"join"}));
  EXPECT_THAT(left(), ElementsAre("join[]<3,9,2"));
}

TEST_F(PlanReplay, AWideForeachThatHasNotBegunStaysOneEntry) {
  flow({step("start", Transition::foreach, {"body"}), linear("body", "join"), join("join", "end"), last()});
  const std::vector<std::string> items(100'000, "x");
  replay({{"start[]", went_to({"body"}, items)}});
  EXPECT_EQ(plan_->ready_count(), items.size());
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(plan_->take().branch, i);
}

TEST_F(PlanReplay, NestedForeachesAreToldApartByTheirIndices) {
  flow({step("start", Transition::foreach, {"mid"}), step("mid", Transition::foreach, {"leaf"}),
        linear("leaf", "inner"), join("inner", "outer"), join("outer", "end"), last()});
  replay({{"start[]", went_to({"mid"}, {"a", "b"})},
          {"mid[0]", went_to({"leaf"}, {"x", "y"})},
          {"mid[1]", went_to({"leaf"}, {"x", "y"})},
          {"leaf[0,0]", went_to({"inner"})},
          {"leaf[0,1]", went_to({"inner"})},
          {"leaf[1,1]", went_to({"inner"})},
          {"inner[0]", went_to({"outer"})}});
  EXPECT_THAT(left(), ElementsAre("leaf[1,0]<3"));
}

TEST_F(PlanReplay, TheBranchOfAStaticSplitThatIsNotFinishedIsLeft) {
  flow({step("start", Transition::split, {"a", "b"}), linear("a", "join"), linear("b", "join"), join("join", "end"),
        last()});
  replay({{"start[]", went_to({"a", "b"})}, {"b[]", went_to({"join"})}});
  const auto a = plan_->take();
  EXPECT_EQ(name_of(a), "a[]");
  plan_->finish(a, 7, went_to({"join"}));
  EXPECT_THAT(left(), ElementsAre("join[]<7,2"));
}

TEST_F(PlanReplay, OnlyTheChosenBranchOfASwitchIsFollowed) {
  flow({step("start", Transition::switch_on, {"fast", "slow"}), linear("fast", "end"), linear("slow", "end"), last()});
  replay({{"start[]", went_to({"slow"})}, {"fast[]", went_to({"end"})}});
  EXPECT_THAT(left(), ElementsAre("slow[]<1"));
}

TEST_F(PlanReplay, RecursionGoesOnFromTheLastRound) {
  flow({linear("start", "loop"), step("loop", Transition::switch_on, {"loop", "end"}), last()});
  replay({{"start[]", went_to({"loop"})}, {"loop[]", went_to({"loop"})}, {"loop[]1", went_to({"loop"})}});
  EXPECT_THAT(left(), ElementsAre("loop[]2<3"));
}

TEST_F(PlanReplay, WhatIsFinishedBehindAnUnfinishedTaskIsNotReached) {
  flow({linear("start", "middle"), linear("middle", "end"), last()});
  replay({{"middle[]", went_to({"end"})}, {"end[]", went_to({})}});
  EXPECT_THAT(left(), ElementsAre("start[]<0"));
}

std::vector<model::Step> gang_of_steps() {
  return {step("start", Transition::parallel, {"train"}), linear("train", "join"), join("join", "end"), last()};
}

TEST_F(PlanReplay, AGangIsReadyAsOneAndItsJoinGetsTheNodesInTheirOrder) {
  flow(gang_of_steps());
  replay({{"start[]", began_gang("train", 3)}});
  EXPECT_EQ(plan_->ready_count(), 1u);
  const auto nodes = nodes_of(plan_->take());
  ASSERT_EQ(nodes.size(), 3u);
  for (const auto i : {2, 0, 1}) {
    EXPECT_EQ(plan_->ready_count(), 0u);
    plan_->finish(nodes[static_cast<std::size_t>(i)], 2, went_to({"join"}));
  }
  const auto join = plan_->take();
  ASSERT_EQ(join.inputs.size(), 3u);
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(join.inputs[i].task, 2u);
    EXPECT_EQ(join.inputs[i].node, i);
  }
}

TEST_F(PlanReplay, AGangThatDidNotFinishWholeIsLeftWhole) {
  flow(gang_of_steps());
  replay({{"start[]", began_gang("train", 2)}, {"train[0]", went_to({"join"})}});
  EXPECT_THAT(left(), ElementsAre("train[0]<1"));
}

TEST_F(PlanReplay, AFinishedGangIsPassedOver) {
  flow(gang_of_steps());
  replay({{"start[]", began_gang("train", 2)}, {"train[0]", went_to({"join"})}, {"train[1]", went_to({"join"})}});
  EXPECT_EQ(plan_->take().step, 2u);
}

TEST_F(PlanReplay, AGangIsAcceptedOnlyWhereOneIsDeclared) {
  flow(gang_of_steps());
  EXPECT_TRUE(plan_->accepts(0, began_gang("train", 1)));
  EXPECT_FALSE(plan_->accepts(0, began_gang("train", 0)));
  EXPECT_FALSE(plan_->accepts(0, went_to({"train"}, {"x"}))) << "a foreach";
  EXPECT_FALSE(plan_->accepts(1, began_gang("join", 1)));
}

TEST_F(PlanReplay, ATransitionThatTheStepDoesNotDeclareIsNotAccepted) {
  flow({step("start", Transition::foreach, {"body"}), linear("body", "join"), join("join", "end"), last()});
  EXPECT_TRUE(plan_->accepts(0, went_to({"body"}, {"x"})));
  EXPECT_FALSE(plan_->accepts(0, went_to({"body"}))) << "how many children?";
  EXPECT_FALSE(plan_->accepts(0, went_to({"join"}, {"x"})));
  EXPECT_FALSE(plan_->accepts(1, went_to({"join"}, {"x"}))) << "no foreach here";
}

}  // namespace
}  // namespace metaflow::runtime
