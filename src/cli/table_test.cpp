#include "cli/table.hpp"

#include <limits>

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

TEST(SizeText, IsShortAndRounded) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(999), "999 B");
  EXPECT_EQ(size_text(1'000), "1.0 KB");
  EXPECT_EQ(size_text(99'940), "99.9 KB");
  EXPECT_EQ(size_text(99'960), "100 KB");
  EXPECT_EQ(size_text(999'499), "999 KB");
  EXPECT_EQ(size_text(999'500), "1.0 MB");
  EXPECT_EQ(size_text(std::numeric_limits<std::uint64_t>::max()), "18.4 EB");
}

}  // namespace
}  // namespace metaflow::cli
