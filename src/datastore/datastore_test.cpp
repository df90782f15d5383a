#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>
#include <metaflow/pickle.hpp>

#include "base/files.hpp"
#include "base/gzip.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/random.hpp"
#include "datastore/artifacts.hpp"
#include "datastore/blob_store.hpp"
#include "datastore/task_store.hpp"

namespace metaflow::datastore {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Pieces pieces(std::string text) {
  Pieces pieces;
  pieces.own(std::move(text));
  return pieces;
}

std::string error_of(const std::function<void()>& act, ErrorCode code) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "no error";
}

/// The pickles of None and [], and the keys that official Metaflow gives them.
const std::string none_pickle = "\x80\x04N.";
const std::string none_key = "dbc1aaddc8b7343d6d33b34edcf608b8f8801918";
const std::string list_key = "c5cf38908fc549f499ade5b17ce221ff0ced377f";

class Blobs : public testing::Test {
 protected:
  std::string text(const std::string& key) const { return std::string(blobs_.get(key).text()); }
  void write_file(const std::string& key, std::string_view bytes) {
    store_->put(file(key), pieces(std::string(bytes)));
  }
  static std::string file(const std::string& key) { return "Lin/data/" + key.substr(0, 2) + '/' + key; }

  std::unique_ptr<storage::ObjectStore> store_ = storage::make_memory_store();
  BlobStore blobs_{*store_, "Lin"};
};

TEST_F(Blobs, AreNamedByTheDigestOfficialGives) {
  EXPECT_EQ(blobs_.put(pieces(none_pickle)), none_key);
  EXPECT_EQ(blobs_.put(pieces("\x80\x04]\x94.")), list_key);
  EXPECT_TRUE(store_->has(file(none_key)));
  EXPECT_EQ(text(none_key), none_pickle);
}

TEST_F(Blobs, OneThatIsThereIsNotWrittenAgain) {
  blobs_.put(pieces(none_pickle));
  store_->put(file(none_key), pieces("mark"));
  blobs_.put(pieces(none_pickle));
  EXPECT_EQ(store_->get(file(none_key))->text(), "mark");
}

TEST_F(Blobs, AnEmptyFileLeftByAPowerLossIsWrittenAnew) {
  write_file(none_key, "");
  EXPECT_FALSE(blobs_.has(none_key));
  blobs_.put(pieces(none_pickle));
  EXPECT_EQ(text(none_key), none_pickle);
}

TEST_F(Blobs, SeveralLargeOnesKeepTheirOrder) {
  const std::string a(3'000'000, 'a'), b(5'000'000, 'b');
  const auto first = pieces(a), second = pieces(b), third = pieces("c");
  const Pieces* all[] = {&first, &second, &third};
  const auto keys = blobs_.put_all(all);
  ASSERT_EQ(keys.size(), 3u);
  EXPECT_EQ(text(keys[0]), a);
  EXPECT_EQ(text(keys[1]), b);
  EXPECT_EQ(text(keys[2]), "c");
}

TEST_F(Blobs, RawOnesAreReadWhateverTheSideFileSays) {
  write_file(none_key, none_pickle);
  EXPECT_EQ(text(none_key), none_pickle);
  store_->put(file(none_key) + "_meta", pieces(R"({"cas_raw": false, "cas_version": 1})"));
  EXPECT_EQ(text(none_key), none_pickle);
}

TEST_F(Blobs, RawOnesThatAreGzipThemselvesStayPacked) {
  const auto content = pieces("a code package");  // what is packed may borrow of it
  const Pieces archive = gzip_pack(content);
  const auto key = sha1_hex(archive);
  store_->put(file(key), archive);
  EXPECT_EQ(blobs_.get(key).size(), archive.size());
  EXPECT_EQ(blobs_.get(key).size(), archive.size());
}

TEST_F(Blobs, DamagedOnesAreErrorsThatNameTheFile) {
  for (const auto* content : {"\x1f\x8b garbage", "raw garbage"}) {
    write_file(none_key, content);
    EXPECT_THAT(error_of([&] { (void)text(none_key); }, ErrorCode::corrupt),
                HasSubstr(file(none_key) + "' is damaged"));
  }
  store_->put(file(none_key), gzip_pack(pieces("another value")));
  EXPECT_THAT(error_of([&] { (void)text(none_key); }, ErrorCode::corrupt), HasSubstr("does not match its name"));
}

TEST_F(Blobs, MissingOnesAreNotFound) {
  EXPECT_THAT(error_of([&] { (void)text(none_key); }, ErrorCode::not_found), HasSubstr("is missing"));
  EXPECT_FALSE(blobs_.has(none_key));
}

TEST_F(Blobs, KeysThatAreNoDigestsLeadNowhere) {
  EXPECT_THROW((void)text("../../../../etc/passwd"), Error);
  EXPECT_FALSE(blobs_.has("x"));
}

class Tasks : public testing::Test {
 protected:
  std::string stored(const std::string& key) const { return std::string(store_->get(key).value().text()); }

  const TaskPath path_{.run = "12", .step = "start", .task = "3"};
  const ArtifactTable artifacts_{{"x", {.key = none_key, .type = "<class 'NoneType'>", .size = 4}}};
  std::unique_ptr<storage::ObjectStore> store_ = storage::make_memory_store();
  TaskStore tasks_{*store_, "Lin"};
};

TEST_F(Tasks, AFinishedAttemptIsRead) {
  tasks_.start_attempt(path_, 0, 1795443041.7863054);
  EXPECT_EQ(stored("Lin/12/start/3/0.attempt.json"), R"({"time": 1795443041.7863054})");
  EXPECT_EQ(tasks_.read(path_), std::nullopt);
  tasks_.finish(path_, 0, artifacts_);
  EXPECT_EQ(tasks_.read(path_), artifacts_);
  EXPECT_EQ(stored("Lin/12/start/3/0.DONE.lock"), "\"\"");
}

TEST_F(Tasks, AnAttemptThatStartedLaterHidesADoneOne) {
  tasks_.start_attempt(path_, 0, 1);
  tasks_.finish(path_, 0, artifacts_);
  tasks_.start_attempt(path_, 1, 2);
  EXPECT_EQ(tasks_.latest_attempt(path_), 1);
  EXPECT_EQ(tasks_.read(path_), std::nullopt);
  EXPECT_EQ(tasks_.read(path_, 0), artifacts_);
}

TEST_F(Tasks, ATableAppearsWholeOrNotAtAll) {
  const auto folder = std::filesystem::temp_directory_path() / ("tasks_" + random_name(8));
  const auto store = storage::open_directory_store(folder);
  TaskStore tasks(*store, "Lin");
  tasks.finish(path_, 0, {});
  const auto file = folder / "Lin" / path_.text() / "0.data.json", link = folder / "link";
  std::filesystem::create_hard_link(file, link);
  tasks.finish(path_, 0, artifacts_);
  EXPECT_FALSE(std::filesystem::equivalent(file, link)) << "it was written in place";
  std::filesystem::remove_all(folder);
}

TEST_F(Tasks, OlderTablesAreRead) {
  store_->put("Lin/12/start/3/0.attempt.json", pieces("{}"));
  store_->put("Lin/12/start/3/0.DONE.lock", pieces(""));
  store_->put("Lin/12/start/3/0.data.json",
              pieces(R"({"objects": {"x": "k1", "y": "k2"}, "info": {"y": {"type": null, "size": 7}}})"));
  const auto table = tasks_.read(path_).value();
  EXPECT_EQ(table.at("x").encoding, "gzip+pickle-v2");
  EXPECT_EQ(table.at("y").size, 7u);
  EXPECT_EQ(table.at("y").type, "");
}

TEST_F(Tasks, ADamagedOrMissingTableOfADoneAttemptIsAnErrorThatNamesIt) {
  store_->put("Lin/12/start/3/0.attempt.json", pieces("{}"));
  store_->put("Lin/12/start/3/0.DONE.lock", pieces(""));
  const auto read = [&] { (void)tasks_.read(path_); };
  EXPECT_THAT(error_of(read, ErrorCode::corrupt), HasSubstr("0.data.json"));
  for (const auto* text : {"{\"objects\": ", "[]", "{}", R"({"objects": []})", R"({"objects": {"x": 3}})",
                           R"({"objects": {"x": "k"}, "info": {"x": {"size": 18446744073709551615}}})"}) {
    store_->put("Lin/12/start/3/0.data.json", pieces(text));
    EXPECT_THAT(error_of(read, ErrorCode::corrupt), HasSubstr("Lin/12/start/3/0.data.json"));
  }
}

TEST_F(Tasks, LogsGrowAndAreReplaced) {
  EXPECT_EQ(tasks_.read_log(path_, 0, LogSource::runtime, LogStream::out), "");
  tasks_.append_log(path_, 0, LogSource::runtime, LogStream::out, "one\n");
  tasks_.append_log(path_, 0, LogSource::runtime, LogStream::out, "two\n");
  EXPECT_EQ(stored("Lin/12/start/3/0.runtime_stdout.log"), "one\ntwo\n");
  tasks_.replace_log(path_, 0, LogSource::runtime, LogStream::out, "all\n");
  EXPECT_EQ(tasks_.read_log(path_, 0, LogSource::runtime, LogStream::out), "all\n");
}

TEST(TaskPaths, HaveThreeParts) {
  EXPECT_EQ(parse_task_path("12/start/3"), (TaskPath{"12", "start", "3"}));
  for (const auto* text : {"", "12", "12/start", "12/start/", "/start/3", "12//3", "12/start/3/4"}) {
    EXPECT_THROW((void)parse_task_path(text), Error) << text;
  }
}

class Artifacts : public Blobs {
 protected:
  std::unique_ptr<ArtifactSource> source(ArtifactTable table) {
    return make_artifact_source(blobs_, "Lin", {"12", "start", "3"}, std::move(table));
  }
  ArtifactReference stored(const Value& value) {
    const auto encoded = pickle::encode(value);
    return {.key = blobs_.put(encoded.pickle), .type = encoded.type, .size = encoded.pickle.size()};
  }
};

TEST_F(Artifacts, AreFoundByNameAndLoaded) {
  const auto left = source({{"x", stored(5)}, {"_y", stored("text")}});
  EXPECT_THAT(left->names(), ElementsAre("_y", "x"));
  EXPECT_EQ(left->find("z"), std::nullopt);
  EXPECT_EQ(pickle::decode(left->load("x", *left->find("x"))), Value(5));
  EXPECT_EQ(left->task_pathspec(), "12/start/3");
}

TEST_F(Artifacts, ErrorsSayWhichOfWhichTask) {
  const auto left = source({{"x", {.key = none_key, .type = "", .size = 4}}});
  const auto load = [&] { (void)left->load("x", *left->find("x")); };
  EXPECT_THAT(error_of(load, ErrorCode::not_found), HasSubstr("cannot read artifact 'x' of Lin/12/start/3: "));
}

TEST_F(Artifacts, EncodingsOfOthersAreRefused) {
  auto reference = stored(5);
  reference.encoding = "arrow";
  const auto left = source({{"x", reference}});
  EXPECT_THAT(error_of([&] { (void)left->load("x", reference); }, ErrorCode::invalid), HasSubstr("'arrow'"));
}

TEST_F(Artifacts, TheForeachStackIsReadAsOfficialWritesIt) {
  const auto bytes = std::string(
      "\x80\x04\x95\x3c\0\0\0\0\0\0\0]\x94\x8c\x08__main__\x94\x8c\x0c"
      "ForeachFrame\x94\x93\x94(\x8c\x03mid\x94\x8c\x05items\x94K\x03K\0\x8c\x02"
      "aa\x94t\x94\x81\x94"
      "a.",
      71);
  const auto key = blobs_.put(pieces(bytes));
  EXPECT_EQ(key, "632ac1ff16b370e3e95d1b878d7835b62f6da9ed");
  const auto left = source({{"_foreach_stack", {.key = key, .type = "<class 'list'>", .size = bytes.size()}}});
  const ForeachFrame frame{.step = "mid", .variable = "items", .num_splits = 3, .index = 0, .value = "aa"};
  EXPECT_THAT(left->foreach_stack(), ElementsAre(frame));
}

TEST_F(Artifacts, ATaskWithoutAStackIsInNoForeach) { EXPECT_TRUE(source({})->foreach_stack().empty()); }

class IncludedFiles : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string make_file(const std::string& name, const std::string& content) const {
    replace_file(folder_ / name, content);
    return folder_ / name;
  }
  Encoded store(const std::string& path, bool is_text = true) const {
    return store_included_file(folder_ / "data", "Lin", path, is_text);
  }
  std::string refusal(const std::string& path) const {
    return error_of([&] { (void)store(path); }, ErrorCode::usage);
  }

  const std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("include_test_" + random_name(8));
};

Value decoded(const Encoded& encoded) {
  std::string bytes;
  for (std::size_t i = 0; i < encoded.pickle.count(); ++i) {
    const auto piece = encoded.pickle.piece(i);
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  return pickle::decode(std::as_bytes(std::span(bytes)));
}

TEST_F(IncludedFiles, AreStoredOnceUnderTheirDigest) {
  const auto encoded = store(make_file("a.txt", "content\n"));
  EXPECT_EQ(encoded.type, "<class 'metaflow.includefile.IncludedFile'>");
  const auto value = decoded(encoded);
  const auto& descriptor = value.as_object().state->at("_descriptor");
  const auto url = std::string(descriptor["url"].as_text());
  EXPECT_EQ(url, "local://" + (folder_ / "data/Lin/7fe70820e08a1aac0ef224d9c66ab66831cc4ab1").string());
  EXPECT_EQ(descriptor["size"].as_integer(), 8);
  EXPECT_EQ(descriptor["type"].as_text(), "uploader-v2");
  EXPECT_EQ(load_included_file(url).text(), "content\n");
}

TEST_F(IncludedFiles, WhatCannotBeIncludedIsAUsageError) {
  EXPECT_THAT(refusal(folder_ / "none"), HasSubstr("there is no such file"));
  std::filesystem::create_directories(folder_);
  EXPECT_THAT(refusal(folder_), HasSubstr("it is a folder"));
  EXPECT_THAT(refusal("/dev/zero"), HasSubstr("not a file"));
  EXPECT_THAT(refusal("s3://bucket/key"), HasSubstr("only files of this machine"));
  EXPECT_THAT(refusal(make_file("latin1.txt", "caf\xe9")), HasSubstr("not valid UTF-8"));
  EXPECT_NO_THROW((void)store(folder_ / "latin1.txt", false));
}

TEST_F(IncludedFiles, ATildeMeansHome) {
  make_file("home.txt", "x");
  const std::string old_home = std::getenv("HOME") ? std::getenv("HOME") : "";
  ::setenv("HOME", folder_.c_str(), 1);
  EXPECT_NO_THROW((void)store("~/home.txt"));
  ::setenv("HOME", old_home.c_str(), 1);
}

JsonValue descriptor_of(const Encoded& encoded) {
  const auto value = decoded(encoded);
  const auto& descriptor = value.as_object().state->at("_descriptor");
  return {{"type", descriptor["type"].as_text()},          {"url", descriptor["url"].as_text()},
          {"is_text", descriptor["is_text"].as_boolean()}, {"encoding", descriptor["encoding"].as_text()},
          {"sub-type", descriptor["sub-type"].as_text()},  {"size", descriptor["size"].as_integer()}};
}

TEST_F(IncludedFiles, OneThatIsStoredAlreadyIsTakenByItsDescriptor) {
  const auto descriptor = descriptor_of(store(make_file("a.txt", "content\n")));
  EXPECT_EQ(descriptor_of(reuse_included_file(descriptor.dump())), descriptor);
}

TEST_F(IncludedFiles, AFileThatWasNeverPackedIsTakenByItsDescriptor) {
  const JsonValue external = {{"type", "external"},
                              {"url", "local://" + make_file("a.txt", "content\n")},
                              {"is_text", true},
                              {"encoding", "utf-8"}};
  const auto value = decoded(reuse_included_file(external.dump()));
  EXPECT_EQ(value.as_object().state->at("_descriptor").pairs().size(), 4u);
}

TEST_F(IncludedFiles, WhatDescribesNoneIsAUsageError) {
  const auto good = descriptor_of(store(make_file("a.txt", "content\n")));
  const auto refusal_of = [](const std::string& text) {
    return error_of([&] { (void)reuse_included_file(text); }, ErrorCode::usage);
  };
  EXPECT_THAT(refusal_of("{nope"),
              HasSubstr("'{nope' describes no file that was included before: it is not valid JSON"));
  const auto with = [&](const char* name, const JsonValue& value) {
    auto bad = good;
    bad[name] = value;
    return refusal_of(bad.dump());
  };
  EXPECT_THAT(with("type", "self"), HasSubstr("its 'type' is none of uploader-v2, uploader-v1 and external"));
  EXPECT_THAT(with("type", 7), HasSubstr("its 'type' is no text"));
  EXPECT_THAT(with("sub-type", "external"), HasSubstr("its 'sub-type' is not 'uploaded'"));
  EXPECT_THAT(with("is_text", "yes"), HasSubstr("its 'is_text' is neither true nor false"));
  EXPECT_THAT(with("encoding", "latin-1"), HasSubstr("its 'encoding' is not 'utf-8'"));
  EXPECT_THAT(with("url", "s3://bucket/key"), HasSubstr("it is not on this machine"));
  EXPECT_THAT(with("url", "local:///" + std::string(40, 'a')), HasSubstr("there is no file at its 'url'"));
  EXPECT_THAT(with("url", "local://" + (folder_ / "a.txt").string()), HasSubstr("ends in the SHA-1 of its content"));
  EXPECT_THAT(with("more", JsonValue::array()), HasSubstr("'more' is neither text nor integer nor truth value"));
  for (const auto* name : {"type", "url", "is_text", "encoding", "sub-type"}) {
    auto bad = good;
    bad.erase(name);
    EXPECT_THAT(refusal_of(bad.dump()), HasSubstr("it has no '" + std::string(name) + "'"));
  }
}

TEST_F(IncludedFiles, DamageIsFound) {
  const auto value = decoded(store(make_file("a.txt", "content\n")));
  const auto url = std::string(value.as_object().state->at("_descriptor")["url"].as_text());
  replace_file(url.substr(8), "no gzip");
  EXPECT_THAT(error_of([&] { (void)load_included_file(url); }, ErrorCode::corrupt), HasSubstr(url));
}

}  // namespace
}  // namespace metaflow::datastore
