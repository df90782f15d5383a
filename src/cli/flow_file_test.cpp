#include "cli/flow_file.hpp"

#include <gmock/gmock.h>

namespace metaflow::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Dependencies, AreReadAcrossLines) {
  EXPECT_THAT(parse_dependencies("program: a.cpp b.hpp \\\n  /usr/include/c.h\n"),
              ElementsAre("a.cpp", "b.hpp", "/usr/include/c.h"));
}
TEST(Dependencies, MayHoldBlanksAndDollars) {
  EXPECT_THAT(parse_dependencies("my\\ program: a\\ b.cpp c$$d.hpp e\\#f.hpp\n"),
              ElementsAre("a b.cpp", "c$d.hpp", "e#f.hpp"));
}
TEST(Dependencies, OfAnythingElseAreNone) { EXPECT_THAT(parse_dependencies("nothing"), IsEmpty()); }

TEST(FlowFile, IsKnownByItsEnding) {
  EXPECT_TRUE(is_flow_file("dir/hello.cpp"));
  EXPECT_TRUE(is_flow_file("hello.cc"));
  EXPECT_FALSE(is_flow_file(".cpp"));
  EXPECT_FALSE(is_flow_file("hello.py"));
}

}  // namespace
}  // namespace metaflow::cli
