#include "cli/arguments.hpp"

#include <gmock/gmock.h>
#include <metaflow/error.hpp>

#include <cstdlib>

namespace metaflow::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Command top = {.options = {{.name = "quiet", .kind = OptionKind::flag, .off_name = "not-quiet"},
                                 {.name = "with", .kind = OptionKind::repeated},
                                 {.name = "config", .kind = OptionKind::pairs}}};
const Command run = {.name = "run",
                     .options = {{.name = "max-workers",
                                  .kind = OptionKind::integer,
                                  .default_text = "16",
                                  .variable = "WORKERS",
                                  .minimum = 1},
                                 {.name = "tag", .kind = OptionKind::repeated, .variable = "TAGS"},
                                 {.name = "namespace"},
                                 {.name = "isolation", .default_text = "fork", .choices = {"fork", "spawn"}},
                                 {.name = "quick", .kind = OptionKind::flag, .off_name = "no-quick"}},
                     .arguments = {{"PATH", false}}};

Arguments parse(const std::vector<std::string>& words) {
  return parse_arguments(run, words, "CLI_TEST_RUN", Followed::by_arguments, &top);
}

std::string refusal(const std::vector<std::string>& words) {
  try {
    parse(words);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    return error.what();
  }
  return "";
}

/// Set for the length of a test.
struct Variable {
  const char* name;
  Variable(const char* name_, const char* value) : name(name_) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name); }
};

TEST(Arguments, AnOptionsValueFollowsASpaceOrAnEqualsSign) {
  EXPECT_EQ(parse({"--max-workers", "3"}).integer("max-workers"), 3);
  EXPECT_EQ(parse({"--max-workers=4"}).integer("max-workers"), 4);
}
TEST(Arguments, OfAScalarOptionTheLastCounts) {
  EXPECT_EQ(parse({"--namespace", "a", "--namespace=b"}).text("namespace"), "b");
}
TEST(Arguments, ARepeatedOptionKeepsAllItsValues) {
  EXPECT_THAT(parse({"--tag", "a", "--tag=b c"}).list("tag"), ElementsAre("a", "b c"));
}
TEST(Arguments, APairTakesTwoWords) {
  const auto words = {"--config", "a", "--quiet", "--with", "x", "--config", "b", "", "run", "--config"};
  const auto arguments = parse_arguments(top, {words.begin(), words.end()}, "CLI_TEST", Followed::by_command);
  EXPECT_THAT(arguments.list("config"), ElementsAre("a", "--quiet", "b", ""));
  EXPECT_THAT(arguments.rest(), ElementsAre("run", "--config"));
  EXPECT_FALSE(arguments.flag("quiet"));
  EXPECT_THROW(parse_arguments(top, {"--config", "a"}, "CLI_TEST", Followed::by_command), Error);
}
TEST(Arguments, AnEmptyValueIsAValue) {
  const auto arguments = parse({"--namespace=", "path"});
  EXPECT_TRUE(arguments.given("namespace"));
  EXPECT_EQ(arguments.text("namespace"), "");
  EXPECT_EQ(arguments.argument(0), "path");
}
TEST(Arguments, AValueMayLookLikeAnOptionOrAList) {
  EXPECT_EQ(parse({"--namespace", "--tag=x"}).text("namespace"), "--tag=x");
  EXPECT_EQ(parse({"--namespace", "[1, 2]"}).text("namespace"), "[1, 2]");
  EXPECT_EQ(parse({"--namespace", "-5"}).text("namespace"), "-5");
}
TEST(Arguments, AfterTwoDashesNothingIsAnOption) {
  EXPECT_EQ(parse({"--", "--tag"}).argument(0), "--tag");
  EXPECT_EQ(parse({"--", "--tag=x"}).argument(0), "--tag=x");
}
TEST(Arguments, AValueThatIsTheNameOfAnOptionTakesNoValueItself) {
  EXPECT_EQ(parse({"--namespace", "--namespace", "path"}).argument(0), "path");
}
TEST(Arguments, AFlagCanBeSwitchedOffAgain) {
  EXPECT_TRUE(parse({"--quick"}).flag("quick"));
  EXPECT_FALSE(parse({"--quick", "--no-quick"}).flag("quick"));
}
TEST(Arguments, WhatIsNotGivenHasItsDefault) { EXPECT_EQ(parse({}).integer("max-workers"), 16); }
TEST(Arguments, HelpNeedsNothingElseToBeRight) { EXPECT_TRUE(parse({"--max-workers", "x", "--help"}).help_wanted()); }

TEST(Arguments, AnAbbreviationIsRefusedWithTheFullName) {
  EXPECT_EQ(refusal({"--max-work", "3"}), "No such option '--max-work'. Did you mean '--max-workers'?");
}
TEST(Arguments, AnOptionOfTheProgramIsSentBeforeTheCommand) {
  EXPECT_EQ(refusal({"--quiet"}), "No such option '--quiet' here. It belongs before the command.");
}
TEST(Arguments, AnOptionOfTheCommandIsSentAfterIt) {
  try {
    parse_arguments(top, {"--max-workers", "3", "run"}, "CLI_TEST", Followed::by_command, &run);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("after the command"));
  }
}
TEST(Arguments, ANumberThatIsNoneIsNamed) {
  EXPECT_EQ(refusal({"--max-workers", "3x"}), "Invalid value for '--max-workers': 3x is not a valid integer");
  EXPECT_EQ(refusal({"--max-workers", "99999999999999999999"}),
            "Invalid value for '--max-workers': 99999999999999999999 is not a valid integer");
}
TEST(Arguments, ANumberThatIsTooSmallIsRefused) {
  EXPECT_EQ(refusal({"--max-workers", "0"}), "Invalid value for '--max-workers': 0 is less than 1");
}
TEST(Arguments, AnUnknownChoiceListsThoseThereAre) {
  EXPECT_EQ(refusal({"--isolation", "frok"}),
            "Invalid value for '--isolation': 'frok' is not one of fork, spawn. Did you mean 'fork'?");
}
TEST(Arguments, AMissingValueIsNamed) {
  EXPECT_EQ(refusal({"--max-workers"}), "Option '--max-workers' needs a value.");
}
TEST(Arguments, AnArgumentTooManyIsNamed) { EXPECT_EQ(refusal({"a", "b"}), "Got unexpected extra argument (b)"); }

TEST(Arguments, EverythingAfterTheCommandIsLeftToIt) {
  const auto arguments =
      parse_arguments(top, {"--with=retry", "run", "--with=x", "--quiet"}, "CLI_TEST", Followed::by_command);
  EXPECT_THAT(arguments.list("with"), ElementsAre("retry"));
  EXPECT_THAT(arguments.rest(), ElementsAre("run", "--with=x", "--quiet"));
  const auto odd = parse_arguments(top, {"-", "--with=x"}, "CLI_TEST", Followed::by_command);
  EXPECT_THAT(odd.rest(), ElementsAre("-", "--with=x"));
}

TEST(Arguments, AVariableStandsInForAnOption) {
  const Variable workers("CLI_TEST_RUN_WORKERS", "7");
  EXPECT_EQ(parse({}).integer("max-workers"), 7);
  EXPECT_EQ(parse({"--max-workers", "8"}).integer("max-workers"), 8);
}
TEST(Arguments, AVariableOfARepeatedOptionHoldsSeveralWords) {
  const Variable tags("CLI_TEST_RUN_TAGS", " a  b ");
  EXPECT_THAT(parse({}).list("tag"), ElementsAre("a", "b"));
}
TEST(Arguments, AVariableOfAFlagTakesTheUsualWords) {
  const Variable quick("CLI_TEST_RUN_QUICK", "Yes");
  EXPECT_TRUE(parse({}).flag("quick"));
  EXPECT_FALSE(parse({"--no-quick"}).flag("quick"));
}
TEST(Arguments, AWrongVariableIsRefusedLikeAWrongOption) {
  const Variable workers("CLI_TEST_RUN_WORKERS", "many");
  EXPECT_THAT(refusal({}), HasSubstr("many is not a valid integer"));
}

}  // namespace
}  // namespace metaflow::cli
