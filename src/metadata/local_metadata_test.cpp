#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/random.hpp"
#include "metadata/metadata.hpp"

namespace metaflow::metadata {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class HandWoundClock final : public Clock {
 public:
  std::int64_t now_microseconds() override { return now; }
  std::int64_t steady_microseconds() override { return now; }
  std::atomic<std::int64_t> now = 1795443040916463;
};

std::string error_of(const std::function<void()>& act, ErrorCode code) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "no error";
}

class LocalMetadata : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("METAFLOW_USER", "demo", 1);
    ::unsetenv("METAFLOW_PRODUCTION_TOKEN");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  JsonValue json(const std::string& file) const { return parse_json(read_text_file(root_ + '/' + file).value(), file); }
  void write(const std::string& file, const std::string& text) const { replace_file(root_ + '/' + file, text); }

  const std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("metadata_test_" + random_name(8));
  const std::string root_ = folder_ / ".metaflow";
  HandWoundClock clock_;
  std::unique_ptr<Metadata> metadata_ = open_local_metadata(root_, clock_);
};

TEST_F(LocalMetadata, ARunIsHeldForAsLongAsItsHoldLives) {
  const auto metadata = open_local_metadata(root_, clock_);
  const auto run = metadata->create_run("Flow", {});
  EXPECT_EQ(metadata->is_held(run), false);
  {
    const auto one = metadata->hold_run(run), other = metadata->hold_run(run);
    EXPECT_EQ(metadata->is_held(run), true);
    metadata->change_tags("Flow", run.run, {"tag"}, {});  // not kept from it
  }
  EXPECT_EQ(metadata->is_held(run), false);
}

TEST_F(LocalMetadata, NobodyCanTellWhetherARunOfOfficialMetaflowIsHeld) {
  const auto metadata = open_local_metadata(root_, clock_);
  auto run = metadata->create_run("Flow", {});
  run.system_tags = {"metaflow_version:2.19.38"};
  EXPECT_EQ(metadata->is_held(run), std::nullopt);
}

TEST_F(LocalMetadata, NothingThatATaskLeavesIsOlderThanTheTask) {
  const auto run = metadata_->create_run("Lin", {});
  const auto later = run.created_ms + 1000;
  metadata_->add_task(run, "start", "1", later, {});
  metadata_->add_artifacts(run, "start", "1", 0, {{"_task_ok", {}}}, "local", root_);
  metadata_->add_data(run, "start", "1", {{.field = "attempt-done", .value = "0", .attempt = 0}});
  EXPECT_GE(metadata_->artifact("Lin", run.run, "start", "1", 0, "_task_ok")->created_ms, later);
  EXPECT_GE(metadata_->newest_datum("Lin", run.run, "start", "1", "attempt-done")->created_ms, later);
}

TEST_F(LocalMetadata, ARunIsNumberedByItsMicrosecond) {
  const auto run = metadata_->create_run("Lin", {"foo", "a:b"});
  EXPECT_EQ(run.run, "1795443040916463");
  const auto record = json("Lin/1795443040916463/_meta/_self.json");
  EXPECT_EQ(record["run_number"], "1795443040916463");
  EXPECT_EQ(record["flow_id"], "Lin");
  EXPECT_EQ(record["user_name"], "demo");
  EXPECT_EQ(record["ts_epoch"], 1795443040916);
  EXPECT_THAT(record["tags"], UnorderedElementsAre("a:b", "foo"));
  EXPECT_THAT(record["system_tags"], Contains("user:demo"));
  EXPECT_THAT(record["system_tags"], Contains("runtime:dev"));
  EXPECT_EQ(json("Lin/_meta/_self.json")["flow_id"], "Lin");
}

TEST_F(LocalMetadata, RunsGetTheSystemTagsThatItWasOpenedWith) {
  const auto run = open_local_metadata(root_, clock_, {"language:c", "mine"})->create_run("Lin", {"mine", "yours"});
  EXPECT_THAT(run.system_tags, testing::IsSupersetOf({"language:c", "mine", "user:demo"}));
  EXPECT_THAT(run.tags, UnorderedElementsAre("yours"));
}

TEST_F(LocalMetadata, AFlowIsAsOldAsItsFirstRun) {
  EXPECT_EQ(metadata_->flow_created_ms("Lin"), std::nullopt);
  const auto first = metadata_->create_run("Lin", {});
  clock_.now += 5'000'000;
  metadata_->create_run("Lin", {});
  EXPECT_EQ(metadata_->flow_created_ms("Lin"), first.created_ms);
}

TEST_F(LocalMetadata, RunsOfOneMicrosecondGetDifferentIds) {
  std::array<std::string, 8> ids;
  {
    std::vector<std::jthread> threads;
    for (auto& id : ids) threads.emplace_back([&] { id = metadata_->create_run("Lin", {}).run; });
  }
  EXPECT_THAT(std::set<std::string>(ids.begin(), ids.end()), SizeIs(ids.size()));
}

TEST_F(LocalMetadata, AProductionTokenTakesTheUsersPlace) {
  ::setenv("METAFLOW_PRODUCTION_TOKEN", "tok", 1);
  const auto run = metadata_->create_run("Lin", {});
  EXPECT_TRUE(run.system_tags.contains("production:tok"));
  EXPECT_FALSE(run.system_tags.contains("user:demo"));
}

TEST_F(LocalMetadata, RecordsAreAsciiInAnyLocale) {
  const auto run = metadata_->create_run("Lin", {"\xc3\xa9\xf0\x9f\x98\x80"});
  const auto text = read_text_file(root_ + "/Lin/" + run.run + "/_meta/_self.json").value();
  EXPECT_THAT(text, HasSubstr("\\u00e9\\ud83d\\ude00"));
  EXPECT_EQ(metadata_->run("Lin", run.run)->tags, run.tags);
}

TEST_F(LocalMetadata, TasksAreListedNewestFirst) {
  const auto run = metadata_->create_run("Lin", {});
  metadata_->add_task(run, "start", "1", 1000, {});
  metadata_->add_task(run, "mid", "2", 2000, {});
  metadata_->add_task(run, "mid", "10", 2001, {});
  metadata_->add_task(run, "mid", "9", 2001, {});
  EXPECT_THAT(metadata_->steps("Lin", run.run), ElementsAre(Pair("mid", 2000), Pair("start", 1000)));
  EXPECT_THAT(
      metadata_->tasks("Lin", run.run, "mid"),
      ElementsAre(Field(&TaskRecord::task, "10"), Field(&TaskRecord::task, "9"), Field(&TaskRecord::task, "2")));
  EXPECT_EQ(metadata_->task("Lin", run.run, "mid", "9")->created_ms, 2001);
}

TEST_F(LocalMetadata, ARetryKeepsTheTasksTimeOfCreation) {
  const auto run = metadata_->create_run("Lin", {});
  metadata_->add_task(run, "start", "1", 1000, {{.field = "attempt", .value = "0", .attempt = 0}});
  metadata_->add_task(run, "start", "1", 5000, {{.field = "attempt", .value = "1", .attempt = 1}});
  EXPECT_EQ(metadata_->task("Lin", run.run, "start", "1")->created_ms, 1000);
  EXPECT_EQ(metadata_->newest_datum("Lin", run.run, "start", "1", "attempt")->value, "1");
  EXPECT_THAT(metadata_->data("Lin", run.run, "start", "1"), SizeIs(2));
}

TEST_F(LocalMetadata, DataOfARetryAreNewerThoughTheClockWasSetBack) {
  const auto run = metadata_->create_run("Lin", {});
  metadata_->add_task(run, "start", "1", 1000, {});
  const auto write_attempt = [&](int attempt) {
    const auto number = std::to_string(attempt);
    metadata_->add_data(run, "start", "1", {{.field = "attempt", .value = number, .attempt = attempt}});
    metadata_->add_data(run, "start", "1", {{.field = "attempt-done", .value = number, .attempt = attempt}});
  };
  write_attempt(0);
  clock_.now = clock_.now - 3'600'000'000;
  write_attempt(1);
  EXPECT_EQ(metadata_->newest_datum("Lin", run.run, "start", "1", "attempt")->value, "1");
  EXPECT_EQ(metadata_->data("Lin", run.run, "start", "1").front().attempt, 1);
  EXPECT_THAT(metadata_->done_attempts("Lin", run.run, "start", "1"), ElementsAre(0, 1));
}

TEST_F(LocalMetadata, ATaskOfARunThatIsGoneIsRefused) {
  const auto run = metadata_->create_run("Lin", {});
  std::filesystem::remove_all(root_);
  const auto words = error_of([&] { metadata_->add_task(run, "start", "1", 1000, {}); }, ErrorCode::not_found);
  EXPECT_THAT(words, HasSubstr("there is no run 'Lin/" + run.run + "' in '" + root_ + "'"));
  EXPECT_FALSE(std::filesystem::exists(root_));
}

TEST_F(LocalMetadata, UnknownParentsHaveNoChildren) {
  EXPECT_THAT(metadata_->flows(), IsEmpty());
  EXPECT_THAT(metadata_->runs("No"), IsEmpty());
  EXPECT_THAT(metadata_->tasks("No", "1", "start"), IsEmpty());
  EXPECT_THAT(metadata_->data("No", "1", "start", "1"), IsEmpty());
  EXPECT_EQ(metadata_->run("No", "1"), std::nullopt);
  EXPECT_EQ(metadata_->latest_run("No"), std::nullopt);
  EXPECT_FALSE(std::filesystem::exists(root_));
}

TEST_F(LocalMetadata, TwoDataOfOneFieldAndMillisecondAreBothKept) {
  const auto run = metadata_->create_run("Lin", {});
  metadata_->add_data(run, "start", "1", {{.field = "attempt", .value = "0", .attempt = 0}});
  metadata_->add_data(run, "start", "1", {{.field = "attempt", .value = "1", .attempt = 1}});
  const auto data = metadata_->data("Lin", run.run, "start", "1");
  ASSERT_THAT(data, SizeIs(2));
  EXPECT_EQ(data[0].value, "1");
  EXPECT_EQ(data[0].attempt, 1);
  EXPECT_GT(data[0].created_ms, data[1].created_ms);
}

TEST_F(LocalMetadata, AValueThatIsAListStaysOne) {
  const auto run = metadata_->create_run("Lin", {});
  metadata_->add_data(run, "start", "1", {{.field = "foreach-stack", .value = "", .json = R"(["a=b"])"}});
  const auto file = "sysmeta_foreach-stack_" + std::to_string(run.created_ms) + ".json";
  EXPECT_EQ(json("Lin/" + run.run + "/start/1/_meta/" + file)["value"], JsonValue::parse(R"(["a=b"])"));
  EXPECT_EQ(metadata_->data("Lin", run.run, "start", "1").at(0).json, R"(["a=b"])");
}

/// One finished attempt that left `name`.
void finish_attempt(Metadata& metadata, const RunRecord& run, int attempt, const std::string& name) {
  const ArtifactReference reference{.key = std::string(40, 'a'), .type = "", .size = 0, .encoding = "pickle-v4"};
  metadata.add_artifacts(run, "start", "1", attempt, {{name, reference}}, "local", "/data/.metaflow");
  metadata.add_data(run, "start", "1",
                    {{.field = "attempt-done", .value = std::to_string(attempt), .attempt = attempt}});
}

TEST_F(LocalMetadata, ArtifactsAreThoseOfTheLatestDoneAttempt) {
  const auto run = metadata_->create_run("Lin", {});
  EXPECT_EQ(metadata_->artifacts("Lin", run.run, "start", "1", {}), std::nullopt);
  finish_attempt(*metadata_, run, 0, "old");
  finish_attempt(*metadata_, run, 2, "new");
  const auto artifacts = metadata_->artifacts("Lin", run.run, "start", "1", {}).value();
  ASSERT_THAT(artifacts, ElementsAre(Field(&ArtifactRecord::name, "new")));
  EXPECT_EQ(artifacts[0].reference.key, std::string(40, 'a'));
  EXPECT_EQ(artifacts[0].location, ":root:/data/.metaflow");
  EXPECT_THAT(metadata_->artifacts("Lin", run.run, "start", "1", 0).value(),
              ElementsAre(Field(&ArtifactRecord::name, "old")));
}

TEST_F(LocalMetadata, PointersOfAnAttemptThatIsNotDoneDoNotCount) {
  const auto run = metadata_->create_run("Lin", {});
  write("Lin/" + run.run + "/start/1/_meta/1_artifact_x.json", "");  // died while writing
  EXPECT_EQ(metadata_->artifacts("Lin", run.run, "start", "1", 1), std::nullopt);
}

TEST_F(LocalMetadata, DamagedRecordsAreErrorsThatNameTheFile) {
  const auto run = metadata_->create_run("Lin", {});
  const auto file = "Lin/" + run.run + "/_meta/_self.json";
  for (const auto* text : {"", "{\"run_number\": \"1\", ", "[]", "{}", R"({"ts_epoch": "soon"})",
                           R"({"ts_epoch": 1e300})", R"({"ts_epoch": -1})", R"({"ts_epoch": 9223372036854775807})"}) {
    write(file, text);
    EXPECT_THAT(error_of([&] { (void)metadata_->run("Lin", run.run); }, ErrorCode::corrupt),
                HasSubstr(root_ + '/' + file));
  }
}

TEST_F(LocalMetadata, APointerThatLacksAnyFieldIsAnErrorThatNamesIt) {
  const std::string file = "Lin/12/start/1/_meta/0_artifact_x.json";
  for (const std::string left_out : {"name", "sha", "content_type", "ds_type", "location", "ts_epoch"}) {
    JsonValue pointer = {{"ts_epoch", 1}};
    for (const auto* name : {"name", "sha", "content_type", "ds_type", "location"})
      pointer[name] = std::string(40, 'a');
    pointer.erase(left_out);
    write(file, dump_json(pointer));
    EXPECT_THAT(error_of([&] { (void)metadata_->artifact("Lin", "12", "start", "1", 0, "x"); }, ErrorCode::corrupt),
                HasSubstr(file + "' is damaged: '" + left_out + "' is missing"));
  }
}

TEST_F(LocalMetadata, ATagThatNumbersNoAttemptIsATagLikeAnyOther) {
  const auto run = metadata_->create_run("Lin", {});
  for (const auto* tag : {"attempt_id:", "attempt_id:99999999999", "attempt_id:1x"}) {
    write("Lin/" + run.run + "/start/1/_meta/sysmeta_x_1.json",
          R"({"field_name": "x", "value": "v", "ts_epoch": 1, "tags": [")" + std::string(tag) + "\"]}");
    EXPECT_EQ(metadata_->newest_datum("Lin", run.run, "start", "1", "x").value().attempt, std::nullopt) << tag;
  }
}

TEST_F(LocalMetadata, RecordsWithTheLeastFieldsAreRead) {
  write("Lin/12/_meta/_self.json", R"({"run_number": "12", "ts_epoch": 5, "tags": ["t"], "user_name": null})");
  const auto run = metadata_->run("Lin", "12").value();
  EXPECT_EQ(run.user, "");
  EXPECT_THAT(run.tags, ElementsAre("t"));
  EXPECT_EQ(run.created_ms, 5);
}

TEST_F(LocalMetadata, LeftoverDraftsAndBlobsAreNoRuns) {
  const auto run = metadata_->create_run("Lin", {});
  write("Lin/tmpabcdefgh", "draft");
  write("Lin/data/ab/abcd", "blob");
  std::filesystem::create_directories(root_ + "/Lin/1795443040916999");  // died before its record was written
  EXPECT_THAT(metadata_->runs("Lin"), ElementsAre(Field(&RunRecord::run, run.run)));
}

TEST_F(LocalMetadata, TheLatestRunIsTextWithoutNewline) {
  metadata_->set_latest_run("Lin", "17");
  EXPECT_EQ(read_text_file(root_ + "/Lin/latest_run"), "17");
  EXPECT_EQ(metadata_->latest_run("Lin"), "17");
}

TEST_F(LocalMetadata, NamesThatLeadElsewhereAreRefused) {
  for (const auto* name : {"", ".", "..", "a/b"}) {
    EXPECT_THROW((void)metadata_->runs(name), Error) << name;
    EXPECT_THROW((void)metadata_->run("Lin", name), Error) << name;
  }
}

TEST_F(LocalMetadata, TagsChangeAndTimeAndUserStay) {
  auto run = metadata_->create_run("Lin", {"a", "b"});
  clock_.now += 1'000'000;
  ::setenv("METAFLOW_USER", "other", 1);
  const auto changed = metadata_->change_tags("Lin", run.run, {"c"}, {"a", "never there"});
  EXPECT_THAT(changed.tags, ElementsAre("b", "c"));
  EXPECT_EQ(changed.created_ms, run.created_ms);
  EXPECT_EQ(changed.user, "demo");
  EXPECT_THAT(metadata_->run("Lin", run.run)->tags, ElementsAre("b", "c"));
}

TEST_F(LocalMetadata, ChangingTagsKeepsFieldsOfOthers) {
  write("Lin/12/_meta/_self.json", R"({"run_number": "12", "ts_epoch": 5, "tags": [], "extra": [1]})");
  metadata_->change_tags("Lin", "12", {"new"}, {});
  EXPECT_EQ(json("Lin/12/_meta/_self.json")["extra"], JsonValue::parse("[1]"));
}

TEST_F(LocalMetadata, ASystemTagCannotBeRemovedAndAddingItChangesNothing) {
  const auto run = metadata_->create_run("Lin", {});
  EXPECT_THAT(error_of([&] { metadata_->change_tags("Lin", run.run, {}, {"user:demo"}); }, ErrorCode::usage),
              HasSubstr("'user:demo' is a system tag"));
  EXPECT_THAT(metadata_->change_tags("Lin", run.run, {"user:demo"}, {}).tags, IsEmpty());
}

TEST_F(LocalMetadata, ChangesByManyAtOnceAreAllKept) {
  const auto run = metadata_->create_run("Lin", {});
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&, i] { metadata_->change_tags("Lin", run.run, {"tag" + std::to_string(i)}, {}); });
    }
  }
  EXPECT_THAT(metadata_->run("Lin", run.run)->tags, SizeIs(16));
}

TEST_F(LocalMetadata, ARunThatIsNotThereHasNoTagsToChange) {
  EXPECT_THAT(error_of([&] { metadata_->change_tags("Lin", "99", {"a"}, {}); }, ErrorCode::not_found),
              HasSubstr("Lin/99"));
}

TEST_F(LocalMetadata, TheNewestDatumOfAFieldIsFoundAmongFieldsThatBeginAlike) {
  const auto run = metadata_->create_run("Lin", {});
  metadata_->add_task(run, "start", "1", 1, {});
  metadata_->add_data(run, "start", "1", {{.field = "attempt", .value = "0"}});
  clock_.now = clock_.now + 5000;
  metadata_->add_data(run, "start", "1", {{.field = "attempt", .value = "1"}, {.field = "attempt-done", .value = "0"}});
  EXPECT_EQ(metadata_->newest_datum("Lin", run.run, "start", "1", "attempt")->value, "1");
  EXPECT_FALSE(metadata_->newest_datum("Lin", run.run, "start", "1", "attempt-don"));
  EXPECT_FALSE(metadata_->newest_datum("Lin", run.run, "start", "2", "attempt"));
  EXPECT_THAT(metadata_->done_attempts("Lin", run.run, "start", "1"), ElementsAre(0));
}

TEST_F(LocalMetadata, OnePointerIsReadByItsName) {
  const auto run = metadata_->create_run("Lin", {});
  metadata_->add_task(run, "start", "1", 1, {});
  metadata_->add_artifacts(run, "start", "1", 0, {{"x", {.key = "abc", .type = ""}}, {"y", {.key = "def", .type = ""}}},
                           "local", root_);
  EXPECT_EQ(metadata_->artifact("Lin", run.run, "start", "1", 0, "x")->reference.key, "abc");
  EXPECT_FALSE(metadata_->artifact("Lin", run.run, "start", "1", 1, "x"));
  EXPECT_FALSE(metadata_->artifact("Lin", run.run, "start", "1", 0, "z"));
  EXPECT_FALSE(metadata_->artifact("Lin", run.run, "start", "1", 0, "../0_artifact_x"));
}

TEST(Tags, HaveLimits) {
  std::set<std::string> tags;
  for (int i = 0; i < 50; ++i) tags.insert(std::to_string(i));
  EXPECT_NO_THROW(validate_tags(tags));
  tags.insert("one more");
  EXPECT_THAT(error_of([&] { validate_tags(tags); }, ErrorCode::usage), HasSubstr("at most 50"));
  std::string accents;
  for (int i = 0; i < 500; ++i) accents += "\xc3\xa9";
  EXPECT_NO_THROW(validate_tags({accents}));
  EXPECT_THAT(error_of([&] { validate_tags({accents + "x"}); }, ErrorCode::usage), HasSubstr("500 characters"));
  EXPECT_THAT(error_of([] { validate_tags({""}); }, ErrorCode::usage), HasSubstr("empty"));
  EXPECT_THAT(error_of([] { validate_tags({"\xff"}); }, ErrorCode::usage), HasSubstr("UTF-8"));
}

TEST(Identity, IsTheFirstNameThatIsSetAndNotRoot) {
  ::setenv("METAFLOW_USER", "", 1);
  ::setenv("SUDO_USER", "root", 1);
  ::setenv("USERNAME", "ada", 1);
  ::setenv("USER", "root", 1);
  EXPECT_EQ(current_identity().name_space(), "user:ada");
  ::unsetenv("USERNAME");
  EXPECT_EQ(current_identity().user, "root");
  EXPECT_TRUE(current_identity().is_fallback_root);
}

}  // namespace
}  // namespace metaflow::metadata
