#include "base/folder_watch.hpp"

#include <cstdlib>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>
#include <metaflow/error.hpp>

namespace metaflow {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class FolderWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "folder_watch_test_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    watch_.add(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  FolderWatch watch_;
};

TEST_F(FolderWatchTest, WhereNothingHappensTheTimePasses) { EXPECT_FALSE(watch_.wait(milliseconds(1))); }

TEST_F(FolderWatchTest, WhatHappenedBeforeTheCallIsNotLost) {
  append_to_file(folder_ + "/log", "a line\n");
  EXPECT_TRUE(watch_.wait(seconds(60)));
  EXPECT_FALSE(watch_.wait(milliseconds(0)));
  replace_file(folder_ + "/record", "{}");
  EXPECT_TRUE(watch_.wait(seconds(60)));
}

TEST_F(FolderWatchTest, WakesWhenALineIsAppended) {
  write_file_in_place(folder_ + "/log", "first\n");
  watch_.wait(seconds(60));
  const std::jthread writer([&] { append_to_file(folder_ + "/log", "second\n"); });
  EXPECT_TRUE(watch_.wait());
}

TEST_F(FolderWatchTest, AMissingFolderIsRefused) {
  try {
    watch_.add(folder_ + "/missing");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
  }
}

}  // namespace
}  // namespace metaflow
