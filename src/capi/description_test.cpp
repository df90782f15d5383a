#include "capi/description.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>

namespace metaflow::capi {
namespace {

std::string refusal(const std::string& json) {
  try {
    read_description(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid);
    return error.what();
  }
  return "accepted";
}

std::string with_step(const std::string& members) {
  return R"({"name": "F", "steps": [{"name": "start", "transition": "linear", "next": ["end"]}, {)" + members + "}]}";
}

TEST(Description, HoldsAllThatAFlowIs) {
  const auto program = read_description(R"({
    "name": "F", "documentation": "About it.", "source_file": "/f.py",
    "steps": [
      {"name": "start", "transition": "foreach", "next": ["body"], "foreach_artifact": "items", "line": 7,
       "documentation": "First.", "source_file": "/f.py", "start": true,
       "decorators": [{"name": "retry", "attributes": {"times": 2, "minutes_between_retries": 0.5}, "static": false}]},
      {"name": "body", "transition": "switch", "next": ["a", "a"], "condition": "mode",
       "cases": [{"value": "x", "target": "a"}, {"value": "y", "target": "a"}]},
      {"name": "a", "transition": "parallel", "next": ["b"], "num_parallel": 3},
      {"name": "b", "takes": "branches", "argument_count": 1, "transition": "none", "end": true}],
    "parameters": [{"name": "alpha-x", "attribute": "alpha_x", "type_name": "FLOAT", "help": "How much.",
                    "default_text": "1.5"},
                   {"name": "data", "kind": "include_file", "type_name": "FILEPATH", "required": true, "is_text": false}],
    "constants": [{"name": "k", "type": "<class 'int'>", "pickle": "gARLAS4="}],
    "options": [{"name": "config", "kind": "pairs", "help": "Settings.", "variable": "FLOW_CONFIG"},
                {"name": "fast", "kind": "flag", "off_name": "slow"}],
    "system_tags": ["python_version:3.11"], "command": ["python3", "f.py"], "script": "f.py", "isolation": "spawn",
    "interrupts_itself": true})");
  const auto& flow = program.flow;
  EXPECT_EQ(flow.name, "F");
  EXPECT_EQ(flow.documentation, "About it.");
  ASSERT_EQ(flow.steps.size(), 4u);
  EXPECT_EQ(flow.steps[0].transition, model::Transition::foreach);
  EXPECT_EQ(flow.steps[0].line, 7);
  EXPECT_TRUE(flow.steps[0].marked_start);
  EXPECT_EQ(flow.steps[0].decorators,
            (std::vector<model::Decorator>{
                {"retry", {{"times", "2"}, {"minutes_between_retries", "0.5"}}, /*statically_defined=*/false}}));
  EXPECT_EQ(flow.steps[1].cases, (std::vector<model::SwitchCase>{{"x", "a"}, {"y", "a"}}));
  EXPECT_EQ(flow.steps[2].num_parallel, 3);
  EXPECT_EQ(flow.steps[3].takes, model::Takes::branches);
  EXPECT_EQ(flow.parameters[0].attribute, "alpha_x");
  EXPECT_EQ(flow.parameters[1].kind, model::ParameterKind::include_file);
  EXPECT_EQ(flow.constants[0].pickle, std::string("\x80\x04K\x01.", 5));
  const auto& binding = program.binding;
  EXPECT_EQ(binding.options[0].kind, FlowOption::Kind::pairs);
  EXPECT_EQ(binding.options[1].off_name, "slow");
  EXPECT_THAT(binding.command, testing::ElementsAre("python3", "f.py"));
  EXPECT_TRUE(binding.spawns_tasks && binding.interrupts_itself && binding.has_opaque_values);
}

TEST(Description, WhatIsLeftOutHasItsDefault) {
  const auto program = read_description(R"({"name": "F", "steps": [{"name": "start", "transition": "none"}],
                                            "parameters": [{"name": "p"}]})");
  EXPECT_EQ(program.flow.steps[0].takes, model::Takes::nothing);
  EXPECT_EQ(program.flow.steps[0].num_parallel, std::nullopt);
  EXPECT_EQ(program.flow.parameters[0].attribute, "p");
  EXPECT_EQ(program.flow.parameters[0].type_name, "TEXT");
  EXPECT_FALSE(program.binding.spawns_tasks);
}

TEST(Description, AMistakeIsNamedByItsPlace) {
  using testing::HasSubstr;
  EXPECT_THAT(refusal("{"), HasSubstr("is no JSON"));
  EXPECT_THAT(refusal("[]"), HasSubstr("it should be an object"));
  EXPECT_THAT(refusal(R"({"name": "F"})"), HasSubstr("steps is missing"));
  EXPECT_THAT(refusal(R"({"name": 1, "steps": []})"), HasSubstr("name should be a text"));
  EXPECT_THAT(refusal(R"({"name": "a/b", "steps": []})"), HasSubstr("name is no name that can be stored"));
  EXPECT_THAT(refusal(R"({"name": "F", "steps": {}})"), HasSubstr("steps should be a list"));
  EXPECT_THAT(refusal(R"({"name": "F", "steps": [], "stepz": []})"), HasSubstr("stepz is not known"));
  EXPECT_THAT(refusal(with_step(R"("name": "end")")), HasSubstr("steps[1].transition is missing"));
  EXPECT_THAT(refusal(with_step(R"("name": "end", "transition": "nowhere")")),
              HasSubstr("steps[1].transition is 'nowhere' and should be one of none, invalid, linear"));
  EXPECT_THAT(refusal(with_step(R"("name": "end", "transition": "none", "line": -1)")),
              HasSubstr("steps[1].line should be between 0 and"));
  EXPECT_THAT(refusal(with_step(R"("name": "end", "transition": "none", "line": 99999999999999999999)")),
              HasSubstr("steps[1].line should be an integer"));
  EXPECT_THAT(refusal(with_step(R"("name": "end", "transition": "none", "line": 18446744073709551615)")),
              HasSubstr("steps[1].line should be between 0 and"));
  EXPECT_THAT(refusal(with_step(R"("name": "end", "transition": "none", "next": [1])")),
              HasSubstr("steps[1].next[0] should be a text"));
  EXPECT_THAT(
      refusal(with_step(R"("name": "end", "transition": "none", "decorators": [{"name": "x", "attributes": 1}])")),
      HasSubstr("steps[1].decorators[0].attributes should be an object"));
  EXPECT_THAT(refusal(R"({"name": "F", "steps": [], "constants": [{"name": "k", "type": "t", "pickle": "?"}]})"),
              HasSubstr("constants[0].pickle is no base64"));
  EXPECT_THAT(refusal(R"({"name": "F", "steps": [], "parameters": [{"name": "a b"}]})"),
              HasSubstr("parameters[0].name is no name of an option"));
  EXPECT_THAT(refusal(R"({"name": "F", "steps": [], "isolation": "thread"})"),
              HasSubstr("isolation is 'thread' and should be one of fork, spawn"));
  EXPECT_THAT(refusal(std::string(10'000, '[')), HasSubstr("nested"));
}

}  // namespace
}  // namespace metaflow::capi
