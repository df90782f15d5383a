#include "base/files.hpp"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>

#include "base/configuration.hpp"
#include "base/parallel.hpp"
#include "base/random.hpp"

namespace metaflow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(const std::function<void()>& act, ErrorCode code) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "no error";
}

class Files : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ / name; }

  const std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("files_test_" + random_name(8));
};

TEST_F(Files, ADraftThatIsNotKeptLeavesNothing) {
  {
    DraftFile draft(path("a/b"));
    draft.write("half");
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "a"));
}

TEST_F(Files, OnlyTheNewerOfTwoWholeWritesIsThere) {
  replace_file(path("a"), "old and long");
  replace_file(path("a"), "new");
  EXPECT_EQ(read_text_file(path("a")), "new");
  EXPECT_THAT(list_directory(folder_), ElementsAre("a"));
}

TEST_F(Files, RenewingMakesAnOldFileNewAndLeavesANewOne) {
  namespace fs = std::filesystem;
  const auto ago = [](auto span) { return fs::file_time_type::clock::now() - span; };
  EXPECT_FALSE(renew_file(path("missing"), std::chrono::hours(1)));
  write_file_in_place(path("empty"), "");
  EXPECT_FALSE(renew_file(path("empty"), std::chrono::hours(1)));

  write_file_in_place(path("a"), "x");
  const auto recent = ago(std::chrono::minutes(50));
  fs::last_write_time(path("a"), recent);
  EXPECT_TRUE(renew_file(path("a"), std::chrono::hours(1)));
  EXPECT_EQ(fs::last_write_time(path("a")), recent);

  fs::last_write_time(path("a"), ago(std::chrono::hours(2)));
  EXPECT_TRUE(renew_file(path("a"), std::chrono::hours(1)));
  EXPECT_GT(fs::last_write_time(path("a")), ago(std::chrono::minutes(1)));
}

TEST_F(Files, FilesAndFoldersMoveToWhereNothingIs) {
  write_file_in_place(path("a"), "a");
  write_file_in_place(path("folder/b"), "b");
  EXPECT_TRUE(move_if_absent(path("a"), path("new/place/a")));
  EXPECT_TRUE(move_if_absent(path("folder"), path("new/folder")));
  EXPECT_EQ(read_text_file(path("new/place/a")), "a");
  EXPECT_EQ(read_text_file(path("new/folder/b")), "b");
  EXPECT_THAT(list_directory(folder_), ElementsAre("new"));

  write_file_in_place(path("a"), "other");
  EXPECT_FALSE(move_if_absent(path("a"), path("new/place/a")));
  EXPECT_EQ(read_text_file(path("new/place/a")), "a");
  EXPECT_EQ(read_text_file(path("a")), "other");
  EXPECT_THAT(error_of([&] { move_if_absent(path("missing"), path("c")); }, ErrorCode::not_found),
              HasSubstr("missing"));
}

TEST_F(Files, ATreeIsRemovedWithAllInIt) {
  write_file_in_place(path("tree/a/b/c"), "c");
  write_file_in_place(path("tree/d"), "d");
  remove_tree(path("tree"));
  remove_tree(path("tree"));
  EXPECT_THAT(list_directory(folder_), ElementsAre());
}

TEST_F(Files, EntriesOfAFolderSayWhatTheyAreAndHowLarge) {
  write_file_in_place(path("b"), std::string(10'000, 'x'));
  write_file_in_place(path("a/file"), "");
  write_file_in_place(path("tmpabcdefgh"), "");
  const auto entries = folder_entries(folder_);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_TRUE(entries[0].is_folder);
  EXPECT_EQ(entries[1].name, "b");
  EXPECT_FALSE(entries[1].is_folder);
  EXPECT_GE(entries[1].disk_bytes, 10'000u);
  EXPECT_LE(std::abs(::time(nullptr) - entries[1].written_s), 60);
  EXPECT_EQ(entries[2].name, "tmpabcdefgh");
  EXPECT_TRUE(folder_entries(path("missing")).empty());
}

TEST_F(Files, AGrowingFileIsReadFromWhereOneStopped) {
  append_to_file(path("log"), "first\n");
  EXPECT_EQ(read_text_from(path("log"), 0), "first\n");
  append_to_file(path("log"), "second\n");
  EXPECT_EQ(read_text_from(path("log"), 6), "second\n");
  EXPECT_EQ(read_text_from(path("log"), 13), "");
  EXPECT_EQ(read_text_from(path("missing"), 0), "");
}

TEST_F(Files, FilesThatClaimNoSizeAreReadToTheirEnd) {
  EXPECT_GT(read_text_file("/proc/self/status").value().size(), 100u);
}

TEST_F(Files, ErrorsSayWhatWhereAndWhatToDo) {
  EXPECT_THAT(error_of([&] { write_file_in_place("/proc/no/such/file", "x"); }, ErrorCode::not_found),
              HasSubstr("cannot make folder '/proc/no"));
  EXPECT_THAT(error_of([&] { append_to_file("/dev/full", "x"); }, ErrorCode::exhausted),
              HasSubstr("cannot write '/dev/full': no space left on device; free some space"));
  EXPECT_THAT(error_of([&] { (void)read_file("/"); }, ErrorCode::invalid), HasSubstr("it is a folder"));
  const std::string long_name(300, 'x');
  EXPECT_THAT(error_of([&] { replace_file(path(long_name), "x"); }, ErrorCode::invalid), HasSubstr("name is too long"));
}

TEST_F(Files, OfSeveralMakersOfAFolderExactlyOneWins) {
  std::atomic<int> winners = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] { winners += make_new_directory(path("a/b/c")) ? 1 : 0; });
    }
  }
  EXPECT_EQ(winners, 1);
}

TEST_F(Files, AFolderAppearsWithAllItsFiles) {
  EXPECT_TRUE(create_folder(path("a/b"), {{"x", "1"}, {"y", "22"}}));
  EXPECT_EQ(read_text_file(path("a/b/y")), "22");
  EXPECT_THAT(list_directory(path("a/b")), ElementsAre("x", "y"));
}

TEST_F(Files, AFolderThatIsThereStaysAsItIs) {
  replace_file(path("a/b/x"), "old");
  EXPECT_FALSE(create_folder(path("a/b"), {{"x", "new"}, {"y", "new"}}));
  EXPECT_EQ(read_text_file(path("a/b/x")), "old");
  EXPECT_THAT(list_directory(path("a/b")), ElementsAre("x"));
  EXPECT_THAT(list_directory(path("a")), ElementsAre("b"));
}

TEST(Parallel, ConsumesInOrderAfterProducing) {
  std::vector<std::atomic<bool>> produced(1000);
  std::size_t expected = 0;
  produce_in_order(
      produced.size(), [&](std::size_t i) { produced[i] = true; },
      [&](std::size_t i) {
        EXPECT_EQ(i, expected++);
        EXPECT_TRUE(produced[i]);
      });
  EXPECT_EQ(expected, produced.size());
}

TEST(Parallel, TheFirstExceptionReachesTheCaller) {
  EXPECT_THROW(for_each_index(100,
                              [](std::size_t i) {
                                if (i == 7) throw Error(ErrorCode::corrupt, "seven");
                              }),
               Error);
  EXPECT_THROW(produce_in_order(
                   100, [](std::size_t) {}, [](std::size_t) { throw Error(ErrorCode::corrupt, "consumer"); }),
               Error);
}

/// Runs in a folder of its own, with nothing set.
class Configuration : public Files {
 protected:
  void SetUp() override {
    for (const auto* name : {"METAFLOW_DATASTORE_SYSROOT_LOCAL", "METAFLOW_PROFILE", "METAFLOW_X"}) ::unsetenv(name);
    ::setenv("METAFLOW_HOME", path("home").c_str(), 1);
    std::filesystem::create_directories(folder_ / "project/below");
    std::filesystem::current_path(folder_ / "project/below");
  }
  void TearDown() override {
    std::filesystem::current_path("/");
    Files::TearDown();
  }
};

TEST_F(Configuration, EnvironmentBeatsProjectBeatsHome) {
  EXPECT_EQ(setting("X"), std::nullopt);
  replace_file(path("home/config.json"), R"({"METAFLOW_X": "home"})");
  EXPECT_EQ(setting("X"), "home");
  replace_file(path("project/.metaflow/config.json"), R"({"METAFLOW_X": {"a": 1}})");
  EXPECT_EQ(setting("X"), R"({"a": 1})");
  ::setenv("METAFLOW_X", "environment", 1);
  EXPECT_EQ(setting("X"), "environment");
}

TEST_F(Configuration, ADamagedFileOrMissingProfileIsAnError) {
  replace_file(path("home/config.json"), "{");
  EXPECT_THAT(error_of([] { (void)setting("X"); }, ErrorCode::invalid), HasSubstr("home/config.json"));
  ::setenv("METAFLOW_PROFILE", "work", 1);
  EXPECT_THAT(error_of([] { (void)setting("X"); }, ErrorCode::invalid), HasSubstr("config_work.json"));
}

TEST_F(Configuration, TheRootIsTheNearestMetaflowFolder) {
  EXPECT_EQ(find_local_root().path, path("project/below/.metaflow"));
  EXPECT_FALSE(find_local_root().exists);
  make_directories(path("project/.metaflow"));
  EXPECT_EQ(find_local_root().path, std::filesystem::canonical(folder_ / "project/.metaflow").string());
  EXPECT_TRUE(find_local_root().exists);
  ::setenv("METAFLOW_DATASTORE_SYSROOT_LOCAL", "elsewhere/", 1);
  EXPECT_EQ(find_local_root().path, path("project/below/elsewhere/.metaflow"));
}

TEST_F(Configuration, ARootThatIsAFileIsAnError) {
  replace_file(path("project/.metaflow"), "");
  EXPECT_THAT(error_of([] { (void)find_local_root(); }, ErrorCode::invalid), HasSubstr("is a file, but"));
}

}  // namespace
}  // namespace metaflow
