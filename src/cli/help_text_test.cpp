#include "cli/help_text.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

namespace metaflow::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

const Command run = {
    .name = "run",
    .summary = "Run the flow.",
    .options = {{.name = "alpha", .type = "INTEGER", .help = "How far", .default_text = "5", .is_parameter = true},
                {.name = "beta", .type = "[a|b]", .required = true, .is_parameter = true},
                {.name = "max-workers", .type = "INTEGER", .help = std::string(100, 'x') + " tasks"},
                {.name = "pylint", .kind = OptionKind::flag, .visibility = Visibility::accepted}}};

TEST(Help, NamesTypesDefaultsAndWhatIsRequired) {
  const auto text = help_text("movies", run, "METAFLOW_RUN");
  EXPECT_THAT(text, HasSubstr("Usage: movies run [OPTIONS]\n"));
  EXPECT_THAT(text, HasSubstr("  --alpha INTEGER               How far  [default: 5]\n"));
  EXPECT_THAT(text, HasSubstr("  --beta [a|b]                  [required]\n"));
  EXPECT_THAT(text, HasSubstr("METAFLOW_RUN_ALPHA for --alpha"));
}
TEST(Help, ShowsParametersBeforeOptions) {
  const auto text = help_text("movies", run, "METAFLOW_RUN");
  EXPECT_LT(text.find("--beta"), text.find("--max-workers"));
}
TEST(Help, LeavesOutWhatIsOnlyAccepted) { EXPECT_THAT(help_text("movies", run, ""), Not(HasSubstr("pylint"))); }

TEST(Wrapped, BreaksBetweenWordsAndKeepsLines) {
  EXPECT_EQ(wrapped("one two three\nfour", 0, 9), "one two\nthree\nfour");
  EXPECT_EQ(wrapped("one two", 2, 6), "one\n  two");
}
TEST(Wrapped, KeepsAWordThatIsLongerThanALine) { EXPECT_EQ(wrapped("abcdefgh i", 0, 4), "abcdefgh\ni"); }
TEST(Wrapped, CountsCharactersAndNotBytes) { EXPECT_EQ(wrapped("ööö ööö", 0, 7), "ööö ööö"); }

}  // namespace
}  // namespace metaflow::cli
