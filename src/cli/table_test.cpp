#include "cli/table.hpp"

#include <gtest/gtest.h>

namespace metaflow::cli {
namespace {

TEST(Table, LinesUpItsColumns) {
  Table table({{"STEP"}, {"TASKS", Align::right}, {"STARTED"}});
  table.add({"start", "1", "now"});
  table.add({"grüße", "1000", ""});
  EXPECT_EQ(table.text(),
            "STEP   TASKS  STARTED\n"
            "start      1  now\n"
            "grüße   1000\n");
}

TEST(Table, ALongTextIsClippedBetweenCharacters) {
  EXPECT_EQ(clipped("grüße", 5), "grüße");
  EXPECT_EQ(clipped("grüße", 4), "grü…");
  EXPECT_EQ(clipped("two\nlines", 20), "two lines");
  EXPECT_EQ(clipped("", 3), "");
}

}  // namespace
}  // namespace metaflow::cli
