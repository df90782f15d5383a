#include "cli/program_cache.hpp"

#include <gmock/gmock.h>
#include <metaflow/error.hpp>

#include <filesystem>
#include <thread>
#include <utility>

#include <sys/stat.h>
#include <time.h>

#include "base/files.hpp"
#include "base/random.hpp"

namespace metaflow::cli {
namespace {

namespace fs = std::filesystem;

class ProgramCacheTest : public testing::Test {
 protected:
  ~ProgramCacheTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + '/' + name; }
  /// Builds a program from `input`, which was written well before.
  std::string build(const ProgramCache& cache) {
    return cache.store("key", [this](const std::string& draft) {
      create_file(draft + "/program", "built");
      ::chmod((draft + "/program").c_str(), 0700);
      ++builds_;
      return std::vector<std::string>{path("input")};
    });
  }
  /// Waits until the clock that stamps files, which moves in steps of some milliseconds, has passed this moment.
  void pass_stamp() const {
    timespec moment{}, stamps{};
    ::clock_gettime(CLOCK_REALTIME, &moment);
    do {
      std::this_thread::yield();
      ::clock_gettime(CLOCK_REALTIME_COARSE, &stamps);
    } while (std::pair(stamps.tv_sec, stamps.tv_nsec) <= std::pair(moment.tv_sec, moment.tv_nsec));
  }

  std::string folder_ = (fs::temp_directory_path() / ("program-cache-" + random_name(8))).string();
  int builds_ = 0;
};

TEST_F(ProgramCacheTest, FindsWhatWasBuiltUntilAnInputChanges) {
  const ProgramCache cache(path("cache/programs"));
  EXPECT_EQ(cache.find("key"), std::nullopt);
  replace_file(path("input"), "one");
  pass_stamp();
  const auto program = build(cache);
  EXPECT_EQ(cache.find("key"), program);
  replace_file(path("input"), "two");
  EXPECT_EQ(cache.find("key"), std::nullopt);
  replace_file(path("input"), "one");
  EXPECT_EQ(cache.find("key"), program);
  remove_file(path("input"));
  EXPECT_EQ(cache.find("key"), std::nullopt);
}
TEST_F(ProgramCacheTest, DoesNotTrustABuildWhoseInputChangedMeanwhile) {
  const ProgramCache cache(path("cache/programs"));
  const auto program = cache.store("key", [this](const std::string& draft) {
    create_file(draft + "/program", "built");
    pass_stamp();
    replace_file(path("input"), "written while the compiler ran");
    return std::vector<std::string>{path("input")};
  });
  EXPECT_TRUE(fs::exists(program));
  EXPECT_EQ(cache.find("key"), std::nullopt);
}
TEST_F(ProgramCacheTest, AFailedBuildLeavesTheFormerProgram) {
  const ProgramCache cache(path("cache/programs"));
  replace_file(path("input"), "one");
  pass_stamp();
  const auto program = build(cache);
  EXPECT_THROW(cache.store("key", [](const std::string&) -> std::vector<std::string> { throw 1; }), int);
  EXPECT_EQ(cache.find("key"), program);
  EXPECT_EQ(list_directory(path("cache/programs")).size(), 1U);
}
TEST_F(ProgramCacheTest, ABuildTakesThePlaceOfTheFormerOne) {
  const ProgramCache cache(path("cache/programs"));
  replace_file(path("input"), "one");
  pass_stamp();
  build(cache);
  EXPECT_EQ(build(cache), cache.find("key"));
  EXPECT_EQ(list_directory(path("cache/programs")).size(), 1U);
}
TEST_F(ProgramCacheTest, IsForOneUserAlone) {
  const ProgramCache cache(path("cache/programs"));
  struct stat status {};
  ASSERT_EQ(::stat(path("cache/programs").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
  ::chmod(path("cache/programs").c_str(), 0770);
  try {
    const ProgramCache refused(path("cache/programs"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::denied);
    EXPECT_THAT(error.what(), testing::HasSubstr("others may use it (mode 770)"));
  }
}

}  // namespace
}  // namespace metaflow::cli
