#include "gc/contents.hpp"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <metaflow/error.hpp>

#include "base/files.hpp"
#include "base/random.hpp"

namespace metaflow::gc {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::Eq;
using testing::HasSubstr;
using testing::Optional;

/// Keys of blobs that are there, in order.
std::string key_of(int i) { return std::string(39, 'a') + static_cast<char>('0' + i); }

/// A flow with four blobs, whose runs each test writes.
class ContentsTest : public testing::Test {
 protected:
  ContentsTest() {
    for (int i = 0; i < 4; ++i) write("data/aa/" + key_of(i), std::string(5000, 'x'));
  }
  ~ContentsTest() override { fs::remove_all(root_); }

  void write(const std::string& file, std::string_view text) const {
    write_file_in_place(root_ + "/Films/" + file, text);
  }
  FlowContents read() const {
    return read_contents(root_, "Films", [](std::size_t) {});
  }
  RunContents only_run() const {
    const auto contents = read();
    EXPECT_EQ(contents.runs.size(), 1u);
    return contents.runs.at(0);
  }

  const std::string root_ = fs::temp_directory_path() / ("contents_test_" + random_name(8));
};

TEST_F(ContentsTest, TablesOfAllAttemptsCount) {
  for (const auto* attempt : {"0", "1"}) {
    write(std::string("1/start/1/") + attempt + ".attempt.json", "{}");
    write(std::string("1/start/1/") + attempt + ".DONE.lock", "");
  }
  write("1/start/1/0.data.json", R"({"objects": {"x": ")" + key_of(0) +
                                     R"("}, "info": {"x": {"size": 77, "type": "", "encoding": "pickle-v4"}}})");
  write("1/start/1/1.data.json", R"({"objects": {"x": ")" + key_of(2) + R"("}, "info": {}})");
  const auto contents = read();
  EXPECT_THAT(contents.runs.at(0).blobs, ElementsAre(0, 2));
  EXPECT_EQ(contents.runs.at(0).tasks, 1u);
  EXPECT_EQ(contents.blobs[0].logical_bytes, 77u);
  EXPECT_GE(contents.blobs[0].disk_bytes, 5000u);
}

TEST_F(ContentsTest, OfAnAttemptThatIsNotDoneWhateverLooksLikeAKeyCounts) {
  write("1/start/1/0.attempt.json", "{}");
  write("1/start/1/0.data.json", R"({"objects": {"x": ")" + key_of(1) + R"(", "y": ")");
  const auto run = only_run();
  EXPECT_THAT(run.blobs, ElementsAre(1));
  EXPECT_EQ(run.damage, std::nullopt);
  EXPECT_TRUE(run.unfinished_since_s);
}

TEST_F(ContentsTest, ATableThatCannotBeReadIsDamage) {
  write("1/start/1/0.attempt.json", "{}");
  write("1/start/1/0.DONE.lock", "");
  write("1/start/1/0.data.json", R"({"objects": {"x")");
  EXPECT_THAT(only_run().damage, Optional(HasSubstr("/Films/1/start/1/0.data.json")));
  write("1/start/1/0.data.json", "");
  EXPECT_THAT(only_run().damage, Optional(HasSubstr("/Films/1/start/1/0.data.json")));
  fs::remove(root_ + "/Films/1/start/1/0.data.json");
  EXPECT_THAT(only_run().damage, Optional(HasSubstr("is missing")));
}

TEST_F(ContentsTest, PointersStandInForATable) {
  write("1/start/1/0.DONE.lock", "");
  write("1/start/1/_meta/0_artifact_x.json", R"({"sha": ")" + key_of(3) + R"("})");
  const auto run = only_run();
  EXPECT_THAT(run.blobs, ElementsAre(3));
  EXPECT_EQ(run.damage, std::nullopt);
}

TEST_F(ContentsTest, CodePackagesAndMetadataOfWorkersAreNeeded) {
  write("1/start/1/_meta/sysmeta_code-package_5.json", R"({"value": "{\"sha\": \")" + key_of(0) + R"(\"}"})");
  write("1/start/1/0.task_begin", R"({"code_package_sha": ")" + key_of(1) + R"("})");
  write("1/start/1/0.local_metadata", '"' + key_of(2) + '"');
  EXPECT_THAT(only_run().blobs, ElementsAre(0, 1, 2));
}

TEST_F(ContentsTest, WhatIsNeededAndNotThereIsKnown) {
  const std::string gone(40, 'f');
  write("1/start/1/0.local_metadata", '"' + gone + '"');
  EXPECT_THAT(read().missing, ElementsAre(gone));
}

TEST_F(ContentsTest, OnlyClonesHaveAnOrigin) {
  const std::string datum = R"({"field_name": "origin-run-id", "value": "7", "ts_epoch": 5})";
  write("9/start/1/_meta/sysmeta_origin-run-id_5.json", datum);
  EXPECT_TRUE(only_run().origins.empty());
  write("9/start/1/_meta/sysmeta_origin-task-id_5.json", "{}");
  EXPECT_THAT(only_run().origins, ElementsAre("7"));
}

TEST_F(ContentsTest, ARunHasEndedWhenItsLastStepIsDone) {
  write("1/finish/2/0.attempt.json", "{}");
  write("1/finish/2/0.DONE.lock", "");
  write("1/finish/2/0.data.json", R"({"objects": {}, "info": {}})");
  EXPECT_FALSE(only_run().ended);
  write("1/_parameters/0/_meta/sysmeta_end_step_5.json",
        R"({"field_name": "end_step", "value": "finish", "ts_epoch": 5})");
  EXPECT_TRUE(only_run().ended);
}

TEST_F(ContentsTest, WhatACrashLeavesIsFound) {
  write("data/aa/tmpabcd_123", "half");
  write("data/aa/" + key_of(1) + "_meta", "{}");
  const auto contents = read();
  ASSERT_EQ(contents.drafts.size(), 1u);
  EXPECT_EQ(contents.drafts[0].path, "aa/tmpabcd_123");
  EXPECT_EQ(contents.blobs.size(), 4u);
  EXPECT_TRUE(contents.blobs[1].has_side_file);
}

TEST_F(ContentsTest, LogsAndRecordsAreCountedApart) {
  write("1/_meta/_self.json", R"({"ts_epoch": 1000, "tags": [], "system_tags": []})");
  write("1/start/_meta/_self.json", "{}");
  write("1/start/1/_meta/_self.json", "{}");
  write("1/start/1/0.runtime_stdout.log", std::string(9000, 'x'));
  const auto run = only_run();
  EXPECT_EQ(run.records.files, 3u);
  EXPECT_EQ(run.logs.files, 1u);
  EXPECT_GE(run.logs.bytes, 9000u);
}

TEST_F(ContentsTest, RunsComeNewestFirstAndHiddenFoldersAreNone) {
  write("5/_meta/_self.json", R"({"ts_epoch": 1000, "tags": [], "system_tags": []})");
  write("4/_meta/_self.json", R"({"ts_epoch": 2000, "tags": [], "system_tags": []})");
  write(".quarantine/9/manifest.json", "{}");
  const auto contents = read();
  ASSERT_EQ(contents.runs.size(), 2u);
  EXPECT_EQ(contents.runs[0].id, "4");
}

}  // namespace
}  // namespace metaflow::gc
