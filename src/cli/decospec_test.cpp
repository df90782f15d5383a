#include "cli/decospec.hpp"

#include <gmock/gmock.h>
#include <metaflow/error.hpp>

namespace metaflow::cli {
namespace {

using testing::HasSubstr;
using Attributes = std::vector<std::pair<std::string, std::string>>;

std::string refusal(const std::string& spec) {
  try {
    parse_decospec(spec);
  } catch (const Error& error) {
    return error.headline() + ": " + error.what();
  }
  return "";
}

TEST(Decospec, ANameAloneHasTheDefaults) {
  const auto decorator = parse_decospec("retry");
  EXPECT_EQ(decorator.attributes, (Attributes{{"times", "\"3\""}, {"minutes_between_retries", "\"2\""}}));
  EXPECT_FALSE(decorator.statically_defined);
}
TEST(Decospec, ValuesAreNumbersOrElseText) {
  EXPECT_EQ(parse_decospec("retry:times=2,minutes_between_retries=0.5").attributes,
            (Attributes{{"times", "2"}, {"minutes_between_retries", "0.5"}}));
  EXPECT_EQ(parse_decospec("catch:var=trouble").attributes[0].second, "\"trouble\"");
}
TEST(Decospec, ACommaEndsAValueOnlyBeforeAName) {
  EXPECT_EQ(parse_decospec(R"(secrets:sources=["inline.a","inline.b"],role=me)").attributes,
            (Attributes{{"sources", R"(["inline.a", "inline.b"])"}, {"role", "\"me\""}, {"allow_override", "false"}}));
}
TEST(Decospec, EscapedQuotesAreJsonQuotes) {
  EXPECT_EQ(parse_decospec(R"(environment:vars={\"a\": 1})").attributes[0].second, R"({"a": 1})");
}
TEST(Decospec, AValueNestedTooDeepForJsonIsText) {
  EXPECT_THAT(refusal("environment:vars=" + std::string(100'000, '[') + std::string(100'000, ']')),
              HasSubstr("is no dict of variables"));
}
TEST(Decospec, AMegabyteOfEscapedQuotesTakesNoTime) {
  std::string quotes;
  for (int i = 0; i < 500'000; ++i) quotes += "\\\"";
  EXPECT_THAT(refusal("retry:times=" + quotes), HasSubstr("is not a number"));
}
TEST(Decospec, AnUnknownNameListsTheKnownOnes) {
  EXPECT_EQ(
      refusal("rety"),
      "Unknown step decorator: Unknown step decorator 'rety'. Did you mean 'retry'? These are known: retry, timeout, "
      "catch, environment, resources, secrets, parallel, batch.");
}
TEST(Decospec, AnUnknownAttributeListsTheKnownOnes) {
  EXPECT_THAT(refusal("retry:time=3"), HasSubstr("Did you mean 'times'?"));
  EXPECT_THAT(refusal("retry:times"), HasSubstr("Unknown decorator attribute"));
}
TEST(Decospec, MoreRetriesThanThereAreAttemptsAreRefused) {
  EXPECT_THAT(refusal("retry:times=5"), HasSubstr("from 0 to 4"));
  EXPECT_THAT(refusal("retry:times=often"), HasSubstr("times=often is not a number"));
}
TEST(Decospec, ADecoratorOfTheStepItselfWins) {
  model::Flow flow;
  flow.steps.resize(2);
  flow.steps[0].decorators = {{"retry", {{"times", "0"}}}};
  apply_decospecs(flow, {"retry:times=3", "retry:times=1"});
  EXPECT_EQ(flow.steps[0].decorators[0].attributes[0].second, "0");
  ASSERT_EQ(flow.steps[1].decorators.size(), 1U);
  EXPECT_EQ(flow.steps[1].decorators[0].attributes[0].second, "3");
}

}  // namespace
}  // namespace metaflow::cli
