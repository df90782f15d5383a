#include "model/step_settings.hpp"

#include <gmock/gmock.h>
#include <metaflow/error.hpp>

namespace metaflow::model {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

Step with(std::vector<Decorator> decorators, Transition transition = Transition::linear) {
  Step step;
  step.name = "work";
  step.transition = transition;
  step.decorators = std::move(decorators);
  return step;
}

std::string refusal(const Step& step) {
  try {
    step_settings(step);
  } catch (const Error& error) {
    return error.headline() + ": " + error.what();
  }
  return "";
}

TEST(StepSettings, AStepWithoutDecoratorsAsksForNothing) {
  const auto settings = step_settings(with({}));
  EXPECT_EQ(settings.retries, 0);
  EXPECT_FALSE(settings.timeout || settings.caught || settings.resources);
}
TEST(StepSettings, AParallelStepIsKnown) {
  EXPECT_TRUE(step_settings(with({{"parallel", {}}})).parallel);
  EXPECT_FALSE(step_settings(with({})).parallel);
}
TEST(StepSettings, AStepBeforeAGangCannotBeCaught) {
  EXPECT_THAT(refusal(with({{"catch", {}}}, Transition::parallel)), HasSubstr("num_parallel cannot have it"));
}
TEST(StepSettings, DecoratorsWithoutAttributesHaveTheirDefaults) {
  const auto settings = step_settings(with({{"retry", {}}, {"catch", {}}, {"resources", {}}}));
  EXPECT_EQ(settings.retries, 3);
  EXPECT_EQ(settings.retry_delay, std::chrono::minutes(2));
  EXPECT_EQ(settings.caught.value().variable, "");
  EXPECT_TRUE(settings.caught->print_exception);
  EXPECT_EQ(settings.resources.value().memory_mb, 4096);
}
TEST(StepSettings, TheDefaultsListedAreTheDefaultsRead) {
  for (const auto& decorator : known_decorators())
    if (decorator.name != "timeout") {
      EXPECT_EQ(refusal(with({decorator})), "");
    }
}
TEST(StepSettings, NumbersMayBeText) {
  const auto settings = step_settings(with({{"retry", {{"times", "\"1\""}, {"minutes_between_retries", "0.001"}}}}));
  EXPECT_EQ(settings.retries, 1);
  EXPECT_EQ(settings.retry_delay, milliseconds(60));
}
TEST(StepSettings, ALimitIsTheSumOfItsParts) {
  const auto settings = step_settings(with({{"timeout", {{"seconds", "1.5"}, {"minutes", "2"}, {"hours", "1"}}}}));
  EXPECT_EQ(settings.timeout, milliseconds(3'721'500));
}
TEST(StepSettings, ALimitOfNothingIsRefused) {
  EXPECT_THAT(refusal(with({{"timeout", {{"seconds", "0"}}}})),
              HasSubstr("Step 'work': decorator 'timeout': give it a limit of more than 0"));
  EXPECT_THAT(refusal(with({{"timeout", {{"seconds", "-1"}}}})), HasSubstr("seconds=-1 is below 0."));
}
TEST(StepSettings, RetriesAreAtMostFour) {
  EXPECT_EQ(step_settings(with({{"retry", {{"times", "4"}}}})).retries, 4);
  EXPECT_THAT(refusal(with({{"retry", {{"times", "5"}}}})), HasSubstr("times=5 is not a whole number from 0 to 4."));
  EXPECT_THAT(refusal(with({{"retry", {{"times", "1.5"}}}})), HasSubstr("from 0 to 4"));
  EXPECT_THAT(refusal(with({{"retry", {{"times", "\"soon\""}}}})), HasSubstr("times=soon is not a number."));
}
TEST(StepSettings, StepsThatChooseTheirSuccessorsWhileRunningCannotBeCaught) {
  EXPECT_THAT(refusal(with({{"catch", {}}}, Transition::foreach)), HasSubstr("goes on with a foreach"));
  EXPECT_THAT(refusal(with({{"catch", {}}}, Transition::switch_on)), HasSubstr("goes on with a switch"));
  EXPECT_EQ(refusal(with({{"catch", {}}}, Transition::split)), "");
}
TEST(StepSettings, ACaughtExceptionIsKeptUnderANameThatAnArtifactMayHave) {
  for (const auto* var : {R"("../x")", R"("9")", R"("a b")", R"("\u001b[31m")"})
    EXPECT_THAT(refusal(with({{"catch", {{"var", var}}}})), HasSubstr("cannot name an artifact")) << var;
}
TEST(StepSettings, VariablesAreTextAsPythonWouldPrintIt) {
  const auto settings = step_settings(with({{"environment", {{"vars", R"({"A": 1, "B": true, "C": "x y"})"}}}}));
  EXPECT_THAT(settings.environment, ElementsAre(Pair("A", "1"), Pair("B", "True"), Pair("C", "x y")));
}
TEST(StepSettings, WhatCannotBeAVariableIsRefused) {
  EXPECT_THAT(refusal(with({{"environment", {{"vars", R"({"A=B": 1})"}}}})), HasSubstr("'A=B' cannot be"));
  EXPECT_THAT(refusal(with({{"environment", {{"vars", "3"}}}})), HasSubstr("vars 3 is no dict"));
}
TEST(StepSettings, ResourcesAreNumbersAboveZero) {
  const auto settings = step_settings(with({{"resources", {{"cpu", "0.5"}, {"memory", "\"100\""}, {"gpu", "0"}}}}));
  EXPECT_EQ(settings.resources.value().cpu, 0.5);
  EXPECT_EQ(settings.resources->memory_mb, 100);
  EXPECT_EQ(settings.resources->gpu, 0);
  EXPECT_THAT(refusal(with({{"resources", {{"memory", "0"}}}})), HasSubstr("memory=0 is not more than 0"));
  EXPECT_THAT(refusal(with({{"resources", {{"cpu", "\"many\""}}}})), HasSubstr("cpu=many is not a number"));
}
TEST(StepSettings, InlineSecretsAreReadFromTheirOptions) {
  const auto settings = step_settings(with(
      {{"secrets", {{"sources", R"([{"type": "inline", "id": "x", "options": {"env_vars": {"TOKEN": "t"}}}])"}}}}));
  EXPECT_EQ(step_settings(with({{"secrets", {{"sources", R"(["inline.y"])"}}}})).secrets.at(0).id, "y");
  ASSERT_EQ(settings.secrets.size(), 1u);
  EXPECT_EQ(settings.secrets[0].id, "x");
  EXPECT_THAT(settings.secrets[0].variables, ElementsAre(Pair("TOKEN", "t")));
}
TEST(StepSettings, SecretsThatCannotBeSetAreRefused) {
  const auto inline_source = [](const std::string& name) {
    return R"({"type": "inline", "id": "x", "options": {"env_vars": {")" + name + R"(": "t"}}})";
  };
  const auto refused = [](const std::string& sources) {
    return refusal(with({{"secrets", {{"sources", "[" + sources + "]"}}}}));
  };
  EXPECT_THAT(refused(inline_source("METAFLOW_X")), HasSubstr("cannot be called 'METAFLOW_X'"));
  EXPECT_THAT(refused(inline_source("1A")), HasSubstr("cannot be called '1A'"));
  EXPECT_THAT(refused(inline_source("A") + ", " + inline_source("A")), HasSubstr("two sources hold a secret 'A'"));
  EXPECT_THAT(refused("\"aws-secrets-manager.db\""), HasSubstr("needs the backend 'aws-secrets-manager'"));
  EXPECT_THAT(refused("3"), HasSubstr("neither text nor a dict"));
}
TEST(StepSettings, BatchTakesTheLargerOfWhatItAndResourcesSay) {
  const auto batch = [](std::vector<Decorator> decorators) {
    return step_settings(with(std::move(decorators))).batch.value();
  };
  EXPECT_EQ(batch({{"batch", {}}}).memory_mb, 4096);
  EXPECT_EQ(batch({{"batch", {{"memory", "512"}}}}).memory_mb, 512);
  EXPECT_EQ(batch({{"batch", {{"memory", "512"}}}, {"resources", {{"memory", "600"}, {"gpu", "2"}}}}).memory_mb, 600);
  EXPECT_EQ(batch({{"resources", {{"gpu", "2"}}}, {"batch", {{"cpu", "\"3\""}}}}).gpu, 2);
  EXPECT_EQ(batch({{"resources", {{"gpu", "2"}}}, {"batch", {{"cpu", "\"3\""}}}}).cpu, 3);
}
TEST(StepSettings, ListsOfBatchMayBeOneText) {
  const auto batch = step_settings(with({{"batch",
                                          {{"host_volumes", "\"/data\""},
                                           {"log_options", R"(["awslogs-group:x", "a:b:c"])"},
                                           {"aws_batch_tags", R"({"team": "films"})"}}}}))
                         .batch.value();
  EXPECT_THAT(batch.host_volumes, ElementsAre("/data"));
  EXPECT_THAT(batch.log_options, ElementsAre(Pair("awslogs-group", "x"), Pair("a", "b:c")));
  EXPECT_THAT(batch.tags, ElementsAre(Pair("team", "films")));
}
TEST(StepSettings, WhatBatchCannotTakeIsRefused) {
  const auto refused = [](const char* name, const char* value) { return refusal(with({{"batch", {{name, value}}}})); };
  EXPECT_THAT(refused("cpu", "0"), HasSubstr("cpu=0 is not more than 0."));
  EXPECT_THAT(refused("swappiness", "100"), HasSubstr("from 0 to 99"));
  EXPECT_THAT(refused("ephemeral_storage", "20"), HasSubstr("from 21 to 200"));
  EXPECT_THAT(refused("tmpfs_path", "\"x\""), HasSubstr("is no absolute path"));
  EXPECT_THAT(refused("aws_batch_tags", R"({"aws:x": "1"})"), HasSubstr("'aws:', which AWS keeps"));
  EXPECT_THAT(refused("aws_batch_tags", R"({"x": "ü"})"), HasSubstr("other characters"));
  EXPECT_THAT(refused("log_options", "\"x\""), HasSubstr("has not the form name:value"));
  EXPECT_THAT(refusal(with({{"batch", {{"inferentia", "1"}, {"trainium", "1"}}}})), HasSubstr("either inferentia or"));
  EXPECT_THAT(refusal(with({{"batch", {}}, {"timeout", {{"seconds", "59"}}}})), HasSubstr("at least 60 seconds"));
}
TEST(StepSettings, ADecoratorStandsOnce) {
  EXPECT_EQ(refusal(with({{"retry", {}}, {"retry", {}}})),
            "Duplicate decorators: Step 'work' has the decorator 'retry' twice.");
  EXPECT_EQ(refusal(with({{"card", {}}, {"card", {}}})), "");
}

}  // namespace
}  // namespace metaflow::model
