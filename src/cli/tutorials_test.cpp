#include "cli/tutorials.hpp"

#include <fstream>

#include <gmock/gmock.h>

namespace metaflow::cli {
namespace {

namespace fs = std::filesystem;
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
TEST(Tutorials, AreSetsByLanguageThoseWithoutEpisodesLeftOut) {
  const auto folder = fs::path(testing::TempDir()) / "tutorials_test";
  fs::create_directories(folder / "python/01-b");
  fs::create_directories(folder / "python/00-a");
  fs::create_directories(folder / "python/no-readme");
  fs::create_directories(folder / "cpp");
  for (const auto* episode : {"00-a", "01-b"}) std::ofstream(folder / "python" / episode / "README.md");
  const auto sets = tutorial_sets(folder);
  ASSERT_EQ(sets.size(), 1U);
  EXPECT_EQ(sets[0].language, "python");
  EXPECT_EQ(sets[0].folder, folder / "python");
  EXPECT_THAT(sets[0].episodes, ElementsAre("00-a", "01-b"));
  fs::remove_all(folder);
}
TEST(Tutorials, AreCopiedWithoutLinksAndCompiledPython) {
  const auto folder = fs::path(testing::TempDir()) / "tutorials_copy_test";
  fs::create_directories(folder / "from/__pycache__");
  std::ofstream(folder / "data.csv") << "1,2\n";
  fs::create_symlink("../data.csv", folder / "from/data.csv");
  fs::create_directories(folder / "to/old");
  copy_episode(folder / "from", folder / "to");
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(folder / "to/data.csv")));
  EXPECT_FALSE(fs::exists(folder / "to/__pycache__"));
  EXPECT_FALSE(fs::exists(folder / "to/old"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace metaflow::cli
