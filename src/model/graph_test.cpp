#include "model/graph.hpp"

#include <algorithm>

#include <gtest/gtest.h>
#include <metaflow/error.hpp>

namespace metaflow::model {
namespace {

Step step(std::string name, Transition transition, std::vector<std::string> next, Takes takes = Takes::nothing) {
  Step made;
  made.name = std::move(name);
  made.takes = takes;
  made.transition = transition;
  made.next = std::move(next);
  return made;
}

Flow flow(std::vector<Step> steps) {
  Flow made;
  made.name = "Films";
  made.steps = std::move(steps);
  return made;
}

/// start: foreach mid; mid: split left, right; both meet in inner; outer; end.
Flow nested() {
  return flow({step("end", Transition::none, {}), step("start", Transition::foreach, {"mid"}),
               step("mid", Transition::split, {"left", "right"}, Takes::item),
               step("right", Transition::linear, {"inner"}), step("left", Transition::linear, {"inner"}),
               step("inner", Transition::linear, {"outer"}, Takes::branches),
               step("outer", Transition::linear, {"end"}, Takes::branches)});
}

std::vector<std::string> names(const Graph& graph, const Graph::Indices& indices) {
  std::vector<std::string> result;
  for (const auto i : indices) result.push_back(graph.step(i).name);
  return result;
}

std::string text(const std::vector<StructureEntry>& entries) {
  std::string result = "[";
  for (const auto& entry : entries) {
    if (result.size() > 1) result += ", ";
    if (const auto* name = std::get_if<std::string>(&entry.content))
      result += *name;
    else
      result += text(std::get<std::vector<StructureEntry>>(entry.content));
  }
  return result + "]";
}

using Names = std::vector<std::string>;

TEST(Graph, TheStepOfAGangStandsInLineInTheStructure) {
  const auto gang =
      flow({step("start", Transition::foreach, {"mid"}), step("mid", Transition::parallel, {"train"}),
            step("train", Transition::linear, {"join"}), step("join", Transition::linear, {"outer"}, Takes::branches),
            step("outer", Transition::linear, {"end"}, Takes::branches), step("end", Transition::none, {})});
  const Graph graph(gang);
  EXPECT_EQ(text(graph.structure()), "[start, [[mid, train, join]], outer, end]");
  EXPECT_EQ(graph.type_name(graph.at("mid")), "split-parallel");
  EXPECT_EQ(graph.matching_join(graph.at("mid")), graph.at("join"));
}

TEST(Graph, EachStepComesAfterItsPredecessorsAndBranchesInTheOrderWritten) {
  const auto films = nested();
  const Graph graph(films);
  EXPECT_EQ(names(graph, graph.topological_order()), (Names{"start", "mid", "left", "right", "inner", "outer", "end"}));
}

TEST(Graph, AJoinEndsTheInnermostOpenSplit) {
  const auto films = nested();
  const Graph graph(films);
  EXPECT_EQ(graph.matching_join(graph.at("mid")), graph.at("inner"));
  EXPECT_EQ(graph.matching_join(graph.at("start")), graph.at("outer"));
  EXPECT_EQ(graph.matching_split(graph.at("outer")), graph.at("start"));
  EXPECT_EQ(graph.matching_join(graph.at("left")), std::nullopt);
}

TEST(Graph, KnowsTheOpenSplitsAroundEachStep) {
  const auto films = nested();
  const Graph graph(films);
  EXPECT_EQ(names(graph, graph.split_parents(graph.at("right"))), (Names{"start", "mid"}));
  EXPECT_EQ(names(graph, graph.split_branches(graph.at("right"))), (Names{"mid", "right"}));
  EXPECT_EQ(names(graph, graph.split_parents(graph.at("outer"))), (Names{"start"}));
  EXPECT_EQ(names(graph, graph.split_parents(graph.at("end"))), Names{});
}

TEST(Graph, StructureNestsBranchesBetweenSplitAndJoin) {
  const auto films = nested();
  EXPECT_EQ(text(Graph(films).structure()), "[start, [[mid, [[left], [right]], inner]], outer, end]");
}

TEST(Graph, WaysOutOfASwitchAreFollowedToTheEndOfTheirBlock) {
  const auto films = flow({step("start", Transition::switch_on, {"fast", "slow", "fast"}),
                           step("fast", Transition::linear, {"loop"}), step("slow", Transition::linear, {"loop"}),
                           step("loop", Transition::switch_on, {"loop", "end"}), step("end", Transition::none, {})});
  const Graph graph(films);
  EXPECT_EQ(text(graph.structure()), "[start, [[fast, loop, [[]]], [slow, loop, [[]]]], end]");
  EXPECT_TRUE(graph.is_recursive(graph.at("loop")));
  EXPECT_EQ(names(graph, graph.predecessors(graph.at("loop"))), (Names{"fast", "slow", "loop"}));
}

TEST(Graph, AChainOfSwitchesGivesAStructureOfBoundedSize) {
  std::vector<Step> steps{step("start", Transition::linear, {"s0"})};
  for (int i = 0; i < 60; ++i) {
    const auto n = std::to_string(i);
    const auto next = i == 59 ? "end" : "s" + std::to_string(i + 1);
    steps.push_back(step("s" + n, Transition::switch_on, {"a" + n, "b" + n}));
    steps.push_back(step("a" + n, Transition::linear, {next}));
    steps.push_back(step("b" + n, Transition::linear, {next}));
  }
  steps.push_back(step("end", Transition::none, {}));
  const auto films = flow(std::move(steps));
  EXPECT_LT(text(Graph(films).structure()).size(), 200'000u);
}

TEST(Graph, NamesTheKindOfEachStep) {
  const auto films = nested();
  const Graph graph(films);
  Names kinds;
  for (const auto i : graph.topological_order()) kinds.emplace_back(graph.type_name(i));
  EXPECT_EQ(kinds, (Names{"split-foreach", "split-static", "linear", "linear", "join", "join", "end"}));
}

TEST(Graph, TheOnlyStepOfAFlowIsStartAndEnd) {
  const auto films = flow({step("only", Transition::none, {})});
  const Graph graph(films);
  EXPECT_EQ(graph.start(), graph.end());
  EXPECT_EQ(graph.type_name(0), "end");
  EXPECT_EQ(text(graph.structure()), "[only]");
}

TEST(Graph, MarkedStepsAreTheEndpoints) {
  auto films = flow({step("finish", Transition::none, {}), step("begin", Transition::linear, {"finish"})});
  films.steps[0].marked_end = true;
  films.steps[1].marked_start = true;
  const Graph graph(films);
  EXPECT_EQ(graph.start_name(), "begin");
  EXPECT_EQ(graph.end_name(), "finish");
  EXPECT_EQ(graph.type_name(graph.start()), "start");
}

TEST(Graph, AnUnknownStepIsAnErrorThatListsTheSteps) {
  const auto films = flow({step("start", Transition::linear, {"end"}), step("end", Transition::none, {})});
  const Graph graph(films);
  try {
    graph.at("strat");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_STREQ(error.what(), "flow Films has no step 'strat'; its steps are: start, end");
  }
}

}  // namespace
}  // namespace metaflow::model
