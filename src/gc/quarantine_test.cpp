#include "gc/quarantine.hpp"

#include <filesystem>
#include <limits>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "base/random.hpp"

namespace metaflow::gc {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

const std::string key_a(40, 'a'), key_b(40, 'b');

/// A flow of two runs, 1 and 2; both need blob b, run 1 also the raw blob a.
class QuarantineTest : public testing::Test {
 protected:
  QuarantineTest() {
    for (const auto* run : {"1", "2"}) {
      write(std::string(run) + "/_meta/_self.json",
            R"({"ts_epoch": )" + std::string(run) + R"(000, "tags": [], "system_tags": []})");
      write(std::string(run) + "/start/1/0.attempt.json", "{}");
      write(std::string(run) + "/start/1/0.DONE.lock", "");
    }
    write("1/start/1/0.data.json", table({key_a, key_b}));
    write("2/start/1/0.data.json", table({key_b}));
    write("data/aa/" + key_a, "value");
    write("data/aa/" + key_a + "_meta", R"({"cas_raw": true})");
    write("data/bb/" + key_b, "shared");
    write("latest_run", "1\n");
    write_file_in_place(root_ + "/mf.cards/Films/runs/1/card.html", "card");
  }
  ~QuarantineTest() override { fs::remove_all(root_); }

  static std::string table(const std::vector<std::string>& keys) {
    std::string objects;
    for (const auto& key : keys) objects += (objects.empty() ? "\"" : ", \"") + key.substr(0, 2) + "\": \"" + key + '"';
    return "{\"objects\": {" + objects + "}, \"info\": {}}";
  }
  void write(const std::string& file, std::string_view text) const { write_file_in_place(flow_ + file, text); }
  std::optional<std::string> text(const std::string& file) const { return read_text_file(flow_ + file); }
  FlowContents contents() const {
    return read_contents(root_, "Films", [](std::size_t) {});
  }
  void take(const std::set<std::string>& chosen, std::int64_t now_ms = 5) {
    const auto read = contents();
    quarantine_.take(read, make_plan(read, chosen, 1'000'000'000), now_ms);
  }
  /// All files but those in quarantine.
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(root_))
      if (entry.is_regular_file() && entry.path().string().find("/.quarantine/") == std::string::npos)
        found.emplace(entry.path(), read_text_file(entry.path()).value());
    return found;
  }

  const std::string root_ = fs::temp_directory_path() / ("quarantine_test_" + random_name(8));
  const std::string flow_ = root_ + "/Films/";
  Quarantine quarantine_{root_, "Films"};
};

TEST_F(QuarantineTest, WhatIsTakenIsGoneAndWhatTheRestNeedsStays) {
  take({"1"});
  EXPECT_EQ(text("1/_meta/_self.json"), std::nullopt);
  EXPECT_EQ(text("data/aa/" + key_a), std::nullopt);
  EXPECT_EQ(text("data/aa/" + key_a + "_meta"), std::nullopt);
  EXPECT_EQ(text("data/bb/" + key_b), "shared");
  EXPECT_EQ(text("latest_run"), "2");
  EXPECT_FALSE(fs::exists(card_folder(root_, "Films", "1")));
  EXPECT_GT(quarantine_.usage().files, 5u);
}

TEST_F(QuarantineTest, AllComesBackAsItWas) {
  const auto before = files();
  take({"1"});
  take({"2"}, 6);
  EXPECT_EQ(text("latest_run"), std::nullopt);
  const auto restored = quarantine_.restore();
  EXPECT_EQ(restored.runs, 2u);
  EXPECT_EQ(restored.blobs, 2u);
  EXPECT_EQ(files(), before);
  EXPECT_FALSE(fs::exists(flow_ + ".quarantine"));
}

TEST_F(QuarantineTest, ALatestRunThatWasSetSinceStays) {
  take({"1"});
  write("latest_run", "3");
  quarantine_.restore();
  EXPECT_EQ(text("latest_run"), "3");
}

TEST_F(QuarantineTest, ABlobThatWasWrittenAnewStaysWithoutTheOldSideFile) {
  take({"1"});
  write("data/aa/" + key_a, "anew");
  quarantine_.restore();
  EXPECT_EQ(text("data/aa/" + key_a), "anew");
  EXPECT_EQ(text("data/aa/" + key_a + "_meta"), std::nullopt);
}

TEST_F(QuarantineTest, AnEmptyFileInPlaceOfABlobIsNoBlob) {
  take({"1"});
  write("data/aa/" + key_a, "");
  quarantine_.restore();
  EXPECT_EQ(text("data/aa/" + key_a), "value");
  EXPECT_EQ(text("data/aa/" + key_a + "_meta"), R"({"cas_raw": true})");
}

TEST_F(QuarantineTest, ARunWhosePlaceIsTakenStaysInQuarantine) {
  take({"1"});
  write("1/late.log", "x");
  EXPECT_THAT(quarantine_.restore().occupied, ElementsAre("1"));
  EXPECT_EQ(quarantine_.batches().size(), 1u);
  fs::remove_all(flow_ + "1");
  EXPECT_THAT(quarantine_.restore().occupied, IsEmpty());
  EXPECT_THAT(text("1/_meta/_self.json"), Not(std::nullopt));
}

TEST_F(QuarantineTest, WhatSomebodyReliesOnAfterAllComesBack) {
  take({"1"});
  write("3/start/1/0.attempt.json", "{}");
  write("3/start/1/0.data.json", table({key_a}));
  EXPECT_TRUE(quarantine_.rescue(contents()));
  EXPECT_EQ(text("data/aa/" + key_a), "value");
  EXPECT_FALSE(quarantine_.rescue(contents()));
}

TEST_F(QuarantineTest, TheOriginOfANewCloneComesBackWithItsBlobs) {
  take({"1"});
  write("3/start/1/_meta/sysmeta_origin-task-id_7.json", "{}");
  write("3/start/1/_meta/sysmeta_origin-run-id_7.json",
        R"({"field_name": "origin-run-id", "value": "1", "ts_epoch": 7})");
  EXPECT_TRUE(quarantine_.rescue(contents()));
  EXPECT_THAT(text("1/_meta/_self.json"), Not(std::nullopt));
  EXPECT_TRUE(quarantine_.rescue(contents()));
  EXPECT_EQ(text("data/aa/" + key_a), "value");
}

TEST_F(QuarantineTest, PurgingRemovesWhatIsOldEnough) {
  take({"1"}, 5);
  take({"2"}, 10);
  quarantine_.purge(10);
  ASSERT_EQ(quarantine_.batches().size(), 1u);
  EXPECT_EQ(quarantine_.batches()[0].taken_ms, 10);
  quarantine_.purge(std::numeric_limits<std::int64_t>::max());
  EXPECT_FALSE(fs::exists(flow_ + ".quarantine"));
}

TEST_F(QuarantineTest, ABatchThatIsHalfRemovedIsNeverPutBack) {
  take({"1"}, 5);
  fs::rename(flow_ + ".quarantine/5", flow_ + ".quarantine/purge-5");
  fs::remove_all(flow_ + ".quarantine/purge-5/data");
  EXPECT_EQ(quarantine_.restore().runs, 0u);
  EXPECT_EQ(text("1/_meta/_self.json"), std::nullopt);
  quarantine_.purge(0);
  EXPECT_FALSE(fs::exists(flow_ + ".quarantine"));
}

TEST_F(QuarantineTest, NothingIsMadeWhenNothingGoes) {
  take({});
  EXPECT_FALSE(fs::exists(flow_ + ".quarantine"));
}

}  // namespace
}  // namespace metaflow::gc
