#include "model/check.hpp"

#include <gtest/gtest.h>

namespace metaflow::model {
namespace {

using Names = std::vector<std::string>;

Step go(std::string name, Transition transition, Names next, Takes takes = Takes::nothing) {
  Step step;
  step.name = std::move(name);
  step.takes = takes;
  step.argument_count = takes == Takes::nothing ? 0 : 1;
  step.transition = transition;
  step.next = std::move(next);
  return step;
}
Step linear(std::string name, std::string next) { return go(std::move(name), Transition::linear, {std::move(next)}); }
Step split(std::string name, Names next) { return go(std::move(name), Transition::split, std::move(next)); }
Step foreach_step(std::string name, std::string next) {
  auto step = go(std::move(name), Transition::foreach, {std::move(next)});
  step.foreach_artifact = "items";
  return step;
}
Step join(std::string name, std::string next) {
  return go(std::move(name), Transition::linear, {std::move(next)}, Takes::branches);
}
Step choose(std::string name, Names next) {
  auto step = go(std::move(name), Transition::switch_on, next);
  step.condition = "mode";
  for (const auto& target : next) step.cases.push_back({target, target});
  return step;
}
Step gang(std::string name, std::string next) { return go(std::move(name), Transition::parallel, {std::move(next)}); }
Step parallel(Step step) {
  step.decorators.push_back({"parallel", {}});
  return step;
}
Step end(std::string name = "end") { return go(std::move(name), Transition::none, {}); }
Step marked_start(Step step) {
  step.marked_start = true;
  return step;
}
Step marked_end(Step step) {
  step.marked_end = true;
  return step;
}
Step taking(Step step, int arguments) {
  step.argument_count = arguments;
  return step;
}

Finding finding(std::vector<Step> steps, Names parameters = {}) {
  Flow flow;
  flow.name = "Films";
  flow.steps = std::move(steps);
  for (auto& name : parameters) {
    Parameter parameter;
    parameter.name = parameter.attribute = name;
    flow.parameters.push_back(parameter);
  }
  const auto found = check(flow);
  return found.empty() ? Finding{} : found.front();
}

/// The rule broken, and the steps it names.
void expect(const Finding& found, std::string_view rule, std::string_view step = "", std::string_view other = "") {
  EXPECT_EQ(found.rule, rule) << found.message;
  EXPECT_EQ(found.step, step);
  EXPECT_EQ(found.other, other);
  if (rule.empty()) return;
  EXPECT_FALSE(found.message.empty());
  EXPECT_NE(found.message.find(step), std::string::npos) << found.message;
  EXPECT_NE(found.message.find(other), std::string::npos) << found.message;
}

TEST(Check, AcceptsALinearFlow) { expect(finding({linear("start", "a"), linear("a", "end"), end()}), ""); }
TEST(Check, AcceptsASplitThatIsJoined) {
  expect(finding({split("start", {"a", "b"}), linear("a", "join"), linear("b", "join"), join("join", "end"), end()}),
         "");
}
TEST(Check, AcceptsNestedSplits) {
  expect(finding({foreach_step("start", "mid"), split("mid", {"a", "b"}), linear("a", "inner"), linear("b", "inner"),
                  join("inner", "outer"), join("outer", "end"), end()}),
         "");
}
TEST(Check, AcceptsAFlowOfOneStep) { expect(finding({end("only")}), ""); }
TEST(Check, AcceptsMarkedEndpoints) {
  expect(finding({marked_start(linear("begin", "finish")), marked_end(end("finish"))}), "");
}
TEST(Check, AcceptsASwitchThatRepeatsItself) {
  expect(finding({linear("start", "loop"), choose("loop", {"loop", "end"}), end()}), "");
}
TEST(Check, AcceptsBranchesThatConvergeThroughASwitch) {
  expect(finding({split("start", {"a", "b"}), choose("a", {"a1", "a2"}), linear("a1", "join"), linear("a2", "join"),
                  linear("b", "join"), join("join", "end"), end()}),
         "");
}
TEST(Check, AcceptsAGangThatIsJoined) {
  expect(finding({gang("start", "train"), parallel(linear("train", "join")), join("join", "end"), end()}), "");
}

TEST(Check, ReservedStepNamesAreRefused) {
  for (const auto* name : {"name", "next", "input", "index", "cmd"})
    expect(finding({linear("start", name), linear(name, "end"), end()}), "reserved_step_name", name);
}
TEST(Check, TwoStepsOfOneNameAreRefused) {
  expect(finding({linear("start", "a"), linear("a", "end"), linear("a", "end"), end()}), "duplicate_step", "a");
}
TEST(Check, AFlowNeedsAStart) { expect(finding({linear("a", "end"), end()}), "no_start"); }
TEST(Check, AFlowNeedsAnEnd) { expect(finding({linear("start", "a"), linear("a", "b"), linear("b", "a")}), "no_end"); }
TEST(Check, OnlyOneStepIsMarkedAsStart) {
  expect(finding({marked_start(linear("a", "b")), marked_start(linear("b", "end")), end()}), "several_starts", "b",
         "a");
}
TEST(Check, OnlyOneStepIsMarkedAsEnd) {
  expect(finding({linear("start", "a"), marked_end(end("a")), marked_end(end("b"))}), "several_ends", "b", "a");
}
TEST(Check, AMarkedStartBesideOneNamedStartIsAmbiguous) {
  expect(finding({marked_start(linear("a", "start")), linear("start", "end"), end()}), "ambiguous_start", "a", "start");
}
TEST(Check, AMarkedEndBesideOneNamedEndIsAmbiguous) {
  expect(finding({linear("start", "end"), linear("end", "a"), marked_end(end("a"))}), "ambiguous_end", "a", "end");
}
TEST(Check, NothingLeadsToTheStart) {
  expect(finding({linear("start", "a"), linear("a", "start"), end()}), "start_has_predecessor", "start", "a");
}
TEST(Check, TheEndGoesNowhere) {
  expect(finding({linear("start", "end"), linear("end", "a"), linear("a", "end")}), "end_has_transition", "end");
}
TEST(Check, TheEndIsNoJoin) {
  expect(finding({split("start", {"a", "b"}), linear("a", "end"), linear("b", "end"),
                  go("end", Transition::none, {}, Takes::branches)}),
         "end_takes_inputs", "end");
}
TEST(Check, StepNamesAreLowercaseWords) {
  for (const auto* name : {"Train", "_train", "tr-ain", "tr\xc3\xa4in"})
    expect(finding({linear("start", name), linear(name, "end"), end()}), "step_name", name);
}
TEST(Check, AStepTakesTheFlowAndAtMostItsInputs) {
  expect(finding({linear("start", "a"), taking(linear("a", "end"), -1), end()}), "missing_self", "a");
  expect(finding({linear("start", "a"), taking(linear("a", "end"), 2), end()}), "too_many_arguments", "a");
}
TEST(Check, AJoinDoesNotSplit) {
  for (const auto kind : {Transition::split, Transition::foreach, Transition::switch_on})
    expect(finding({split("start", {"a", "b"}), linear("a", "c"), linear("b", "c"),
                    go("c", kind, {"a", "b"}, Takes::branches), end()}),
           "join_splits", "c");
}
TEST(Check, EveryStepButTheEndHasATransition) {
  expect(finding({linear("start", "a"), go("a", Transition::none, {}), end()}), "missing_transition", "a");
}
TEST(Check, ATransitionHasAKnownForm) {
  expect(finding({linear("start", "a"), go("a", Transition::invalid, {"end"}), end()}), "invalid_transition", "a");
  expect(finding({go("start", Transition::foreach, {"a", "b"}), end()}), "invalid_transition", "start");
  expect(finding({go("start", Transition::linear, {}), end()}), "invalid_transition", "start");
}
TEST(Check, AGangHasOneTaskOrMore) {
  auto start = gang("start", "a");
  for (const int nodes : {0, max_parallel + 1}) {
    start.num_parallel = nodes;
    expect(finding({start, parallel(linear("a", "join")), join("join", "end"), end()}), "invalid_transition", "start");
  }
}
TEST(Check, ATargetIsAStep) { expect(finding({linear("start", "mid"), end()}), "unknown_target", "start", "mid"); }
TEST(Check, ASplitNamesEachBranchOnce) {
  expect(finding({split("start", {"a", "a"}), linear("a", "join"), join("join", "end"), end()}), "repeated_target",
         "start", "a");
}
TEST(Check, ACycleIsShownAsAPath) {
  expect(finding({linear("start", "a"), linear("a", "b"), split("b", {"a", "end"}), end()}), "cycle", "a", "a->b->a");
  expect(finding({linear("start", "a"), split("a", {"a", "end"}), end()}), "cycle", "a", "a->a");
}
TEST(Check, ALongerCycleThroughASwitchIsRefused) {
  expect(finding({linear("start", "a"), linear("a", "b"), choose("b", {"a", "end"}), end()}), "cycle", "a", "a->b->a");
}
TEST(Check, EveryStepIsReached) {
  expect(finding({linear("start", "end"), linear("lost", "end"), end()}), "unreachable", "lost");
}
TEST(Check, AForeachLeadsToNoJoin) {
  expect(finding({foreach_step("start", "join"), join("join", "end"), end()}), "foreach_into_join", "start", "join");
}
TEST(Check, AnItemComesFromAForeach) {
  expect(finding({linear("start", "a"), go("a", Transition::linear, {"end"}, Takes::item), end()}),
         "item_without_foreach", "a", "start");
}
TEST(Check, AJoinNeedsAnOpenSplit) {
  expect(finding({linear("start", "join"), join("join", "end"), end()}), "join_without_split", "join", "start");
}
TEST(Check, ASplitIsJoinedBeforeTheEnd) {
  expect(finding({foreach_step("start", "a"), linear("a", "end"), end()}), "unjoined_split", "start", "end");
}
TEST(Check, AJoinGetsAllBranchesOfItsSplit) {
  expect(finding({split("start", {"a", "b", "c"}), linear("a", "join"), linear("b", "join"), linear("c", "other"),
                  join("join", "other"), join("other", "end"), end()}),
         "missing_branch", "join", "c");
}
TEST(Check, AJoinGetsBranchesOfOneSplitOnly) {
  expect(finding({split("start", {"a", "b"}), split("a", {"a1", "a2"}), linear("a1", "join"), linear("a2", "join"),
                  linear("b", "join"), join("join", "end"), end()}),
         "mixed_lineages", "join", "b");
}
TEST(Check, BranchesMeetInAJoinOnly) {
  expect(finding({split("start", {"a", "b"}), linear("a", "c"), linear("b", "c"), linear("c", "join"),
                  join("join", "end"), end()}),
         "branches_meet", "c", "start");
}
TEST(Check, ASwitchHasTwoCases) {
  expect(finding({linear("start", "a"), choose("a", {"end"}), end()}), "switch_cases", "a");
}
TEST(Check, ASwitchMayLeadToOneStepByTwoCases) {
  expect(finding({linear("start", "a"), choose("a", {"b", "b"}), linear("b", "end"), end()}), "");
}
TEST(Check, ASwitchHasACondition) {
  auto step = choose("a", {"b", "end"});
  step.condition.clear();
  expect(finding({linear("start", "a"), step, linear("b", "end"), end()}), "switch_condition", "a");
}
TEST(Check, AGangRunsAParallelStep) {
  expect(finding({gang("start", "a"), linear("a", "join"), join("join", "end"), end()}), "parallel_target", "start",
         "a");
}
TEST(Check, AParallelStepIsJoinedAtOnce) {
  expect(finding({gang("start", "a"), parallel(linear("a", "b")), linear("b", "join"), join("join", "end"), end()}),
         "parallel_not_joined", "a", "b");
}
TEST(Check, AParallelStepIsReachedByAGangOnly) {
  expect(finding({foreach_step("start", "a"), parallel(linear("a", "join")), join("join", "end"), end()}),
         "parallel_by_others", "a", "start");
}
TEST(Check, ASwitchLeadsToNoJoin) {
  expect(finding({split("start", {"a", "b"}), choose("a", {"join", "a1"}), linear("a1", "join"), linear("b", "join"),
                  join("join", "end"), end()}),
         "switch_into_join", "a", "join");
}
TEST(Check, ParametersKeepOffTheNamesOfOptions) {
  for (const auto* name : {"tag", "max-workers", "max_workers", "with", "obj"}) {
    const auto found = finding({linear("start", "end"), end()}, {name});
    EXPECT_EQ(found.rule, "reserved_parameter");
    EXPECT_NE(found.message.find(name), std::string::npos);
  }
}
TEST(Check, ParametersDifferInMoreThanCase) {
  const auto found = finding({linear("start", "end"), end()}, {"Alpha", "beta", "alpha"});
  EXPECT_EQ(found.rule, "duplicate_parameter");
  EXPECT_NE(found.message.find("'Alpha' and 'alpha'"), std::string::npos) << found.message;
}
TEST(Check, AFindingSaysWhereTheStepStands) {
  auto lost = linear("lost", "end");
  lost.source_file = "/films.cpp";
  lost.line = 17;
  const auto found = finding({linear("start", "end"), lost, end()});
  EXPECT_EQ(found.source_file, "/films.cpp");
  EXPECT_EQ(found.line, 17);
}
TEST(Check, AFindingAboutATransitionSaysWhereThatStands) {
  auto lost = linear("start", "nowhere");
  lost.line = 17;
  lost.transition_line = 19;
  EXPECT_EQ(finding({lost, end()}).line, 19);
  lost.transition = Transition::none;
  lost.next.clear();
  EXPECT_EQ(finding({lost, end()}).line, 17);
}
TEST(Check, AFindingAboutASplitThatStaysOpenSaysWhereItEnds) {
  auto last = end();
  last.line = 12;
  EXPECT_EQ(finding({foreach_step("start", "a"), linear("a", "end"), last}).line, 12);
}
TEST(Check, AnEmptyFlowHasNoStart) { expect(finding({}), "no_start"); }
TEST(Check, AThousandStepsAreCheckedWithoutDeepRecursion) {
  std::vector<Step> steps{linear("start", "s0")};
  for (int i = 0; i < 1000; ++i)
    steps.push_back(linear("s" + std::to_string(i), i == 999 ? "end" : "s" + std::to_string(i + 1)));
  steps.push_back(end());
  expect(finding(std::move(steps)), "");
}

}  // namespace
}  // namespace metaflow::model
