#include "gc/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace metaflow::gc {
namespace {

using testing::ElementsAre;
using testing::Eq;
using testing::IsEmpty;
using testing::Optional;
using testing::Pair;
using testing::StartsWith;
using testing::UnorderedElementsAre;

constexpr std::int64_t now_s = 1'000'000'000;
constexpr std::int64_t long_ago_s = now_s - 30 * 86'400;

Blob blob(std::uint64_t bytes, std::int64_t written_s = long_ago_s) {
  return {.digits = {}, .disk_bytes = bytes, .written_s = written_s};
}

RunContents run(std::string id, std::vector<std::uint32_t> blobs, std::set<std::string> origins = {}) {
  metadata::RunRecord record;
  record.system_tags = {"metaflow_version:2.19.38+cpp.0.1.0"};
  return {.id = std::move(id), .record = record, .blobs = std::move(blobs), .origins = std::move(origins)};
}

std::vector<std::string> going(const FlowContents& contents, const std::set<std::string>& chosen) {
  std::vector<std::string> ids;
  for (const auto i : make_plan(contents, chosen, now_s).runs) ids.push_back(contents.runs[i].id);
  return ids;
}

TEST(Plan, ABlobGoesWithTheLastRunThatNeedsIt) {
  const FlowContents contents{.flow = "Films",
                              .blobs = {blob(10), blob(20), blob(40)},
                              .runs = {run("3", {0, 1}), run("2", {1, 2}), run("1", {2})}};
  const auto plan = make_plan(contents, {"1", "2"}, now_s);
  EXPECT_THAT(plan.blobs, ElementsAre(2));
  EXPECT_EQ(plan.of_blobs.bytes, 40u);
}

TEST(Plan, BlobsThatNoRunNeedsGoOnceTheyAreAnHourOld) {
  const FlowContents contents{.flow = "Films",
                              .blobs = {blob(1, now_s - 3599), blob(2, now_s - 3600)},
                              .drafts = {{"ab/tmp1", 4, now_s}, {"ab/tmp2", 8, long_ago_s}}};
  const auto plan = make_plan(contents, {}, now_s);
  EXPECT_THAT(plan.blobs, ElementsAre(1));
  EXPECT_THAT(plan.drafts, ElementsAre(1));
  EXPECT_EQ(plan.of_blobs.bytes, 10u);
  EXPECT_EQ(plan.young.bytes, 1u);
}

TEST(Plan, BlobsOfARunGoWithItHoweverNewTheyAre) {
  const FlowContents contents{.flow = "Films", .blobs = {blob(1, now_s)}, .runs = {run("1", {0})}};
  EXPECT_THAT(make_plan(contents, {"1"}, now_s).blobs, ElementsAre(0));
}

TEST(Plan, ARunStaysWhileAClonesRunStays) {
  // 4 was resumed from 3, and that from 1.
  const FlowContents contents{.flow = "Films",
                              .runs = {run("4", {}, {"3"}), run("3", {}, {"1"}), run("2", {}), run("1", {})}};
  const auto plan = make_plan(contents, {"1", "2", "3"}, now_s);
  EXPECT_THAT(plan.kept, UnorderedElementsAre(Pair("1", "3"), Pair("3", "4")));
  EXPECT_THAT(going(contents, {"1", "2", "3"}), ElementsAre("2"));
}

TEST(Plan, ClonesGoBeforeTheirOrigins) {
  // The clock was set back: the origin looks newer.
  const FlowContents contents{.flow = "Films", .runs = {run("3", {}), run("2", {}, {"3"}), run("1", {}, {"2"})}};
  EXPECT_THAT(going(contents, {"1", "2", "3"}), ElementsAre("1", "2", "3"));
}

TEST(Plan, ARunFreesWhatItAloneNeeds) {
  auto first = run("1", {0, 1});
  first.records = {2, 100};
  first.logs = {1, 1000};
  const FlowContents contents{.flow = "Films", .blobs = {blob(10), blob(20)}, .runs = {run("2", {1}), first}};
  const auto plan = make_plan(contents, {"1"}, now_s);
  EXPECT_THAT(plan.own_bytes, ElementsAre(Pair("1", 1110u)));
  EXPECT_EQ(plan.of_runs.bytes, 1100u);
}

TEST(Plan, DamageCountsUnlessItsRunGoes) {
  auto broken = run("1", {});
  broken.damage = "'x' is damaged";
  const FlowContents contents{.flow = "Films", .runs = {run("2", {}), broken}};
  EXPECT_THAT(damage_in_rest(contents, make_plan(contents, {"2"}, now_s)), Optional(Eq("'x' is damaged")));
  EXPECT_EQ(damage_in_rest(contents, make_plan(contents, {"1"}, now_s)), std::nullopt);
}

TEST(Plan, LatestRunIsTheNewestThatResumedNothing) {
  const FlowContents contents{.flow = "Films", .runs = {run("4", {}), run("3", {}, {"1"}), run("2", {}), run("1", {})}};
  EXPECT_THAT(latest_of_rest(contents, make_plan(contents, {"4"}, now_s)), Optional(Eq("2")));
  EXPECT_EQ(latest_of_rest(contents, make_plan(contents, {"1", "2", "3", "4"}, now_s)), std::nullopt);
  const FlowContents resumed{.flow = "Films", .runs = {run("3", {}, {"0"})}};
  EXPECT_THAT(latest_of_rest(resumed, make_plan(resumed, {}, now_s)), Optional(Eq("3")));
}

/// One run of official Metaflow, as it may look.
class PossiblyRunning : public testing::Test {
 protected:
  PossiblyRunning() {
    run_.record->system_tags = {"metaflow_version:2.19.38"};
    run_.changed_s = long_ago_s;
  }
  std::optional<std::string> found() const { return possibly_running({.flow = "Films", .runs = {run_}}, now_s); }

  RunContents run_ = run("1", {});
};

TEST_F(PossiblyRunning, AnAttemptOfLessThanFiveDaysMayStillRun) {
  run_.unfinished_since_s = now_s - 4 * 86'400;
  EXPECT_THAT(found(), Optional(Eq("1")));
  run_.unfinished_since_s = now_s - 6 * 86'400;
  EXPECT_EQ(found(), std::nullopt);
}

TEST_F(PossiblyRunning, ARunThatWroteSomethingMinutesAgoMayBeBetweenTasks) {
  EXPECT_EQ(found(), std::nullopt);
  run_.changed_s = now_s - 300;
  EXPECT_THAT(found(), Optional(Eq("1")));
  run_.ended = true;
  EXPECT_EQ(found(), std::nullopt);
}

TEST_F(PossiblyRunning, OursHoldTheLockInstead) {
  run_.record->system_tags = {"metaflow_version:2.19.38+cpp.0.1.0"};
  run_.unfinished_since_s = now_s;
  EXPECT_EQ(found(), std::nullopt);
}

TEST_F(PossiblyRunning, ARunWithoutARecordMayBeAnybodys) {
  run_.record.reset();
  run_.changed_s = now_s;
  EXPECT_THAT(found(), Optional(Eq("1")));
}

}  // namespace
}  // namespace metaflow::gc
