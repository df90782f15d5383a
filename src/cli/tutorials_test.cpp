#include "cli/tutorials.hpp"

#include <gmock/gmock.h>

namespace metaflow::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Episode, IsReadByItsHeadings) {
  const auto episode = parse_episode(
      "# Episode 07-x: A title\n\n**What it is about.**\n\n**Showcasing:**\n- One: `thing`.\n- Another.\n\n"
      "**Before playing this episode:**\n1. Install it.\n\n**To play this episode:**\n1. `run`\n");
  EXPECT_EQ(episode.title, "A title");
  EXPECT_EQ(episode.synopsis, "What it is about.");
  EXPECT_THAT(episode.showcasing, ElementsAre("- One: thing.", "- Another."));
  EXPECT_THAT(episode.before, ElementsAre("1. Install it."));
  EXPECT_THAT(episode.play, ElementsAre("1. run"));
}
TEST(Episode, WithoutHeadingsIsEmpty) {
  const auto episode = parse_episode("some text\n");
  EXPECT_EQ(episode.title, "");
  EXPECT_THAT(episode.play, IsEmpty());
}

}  // namespace
}  // namespace metaflow::cli
