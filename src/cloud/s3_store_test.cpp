#include "cloud/s3_store.hpp"

#include "aws/s3_test_support.hpp"

namespace metaflow::cloud {
namespace {

using aws::body_of;
using aws::error_reply;
using aws::header_of;
using aws::line_of;
using aws::range_reply;
using aws::reply;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

Pieces pieces(std::string text) {
  Pieces pieces;
  pieces.own(std::move(text));
  return pieces;
}

storage::Content content(const std::string& key, std::uint64_t size = 1) {
  return {.key = key, .size = size, .value = [key] { return pieces("of " + key); }, .attributes = R"({"a": 1})"};
}

/// What a store asks of a server that holds nothing but `old`.
class S3StoreTest : public aws::S3Test {
 protected:
  S3StoreTest() {
    serve([](const std::string& request) {
      const auto line = line_of(request);
      if (!line.ends_with("/old"))
        return line.starts_with("PUT") ? reply("200 OK") : error_reply("404 Not Found", "NoSuchKey");
      if (line.starts_with("GET")) return range_reply(request, "before ");
      if (header_of(request, "if-none-match") == "*")
        return error_reply("412 Precondition Failed", "PreconditionFailed");
      return reply("200 OK");
    });
  }
  storage::ObjectStore& store() {
    if (!store_) store_ = open_s3_store(std::shared_ptr<aws::S3Client>(&client(), [](auto*) {}), "s3://b/root/");
    return *store_;
  }

  std::unique_ptr<storage::ObjectStore> store_;
};

TEST_F(S3StoreTest, NamesItsPlace) {
  EXPECT_EQ(store().root(), "s3://b/root");
  EXPECT_EQ(store().type(), "s3");
  EXPECT_EQ(open_s3_store(nullptr, "s3://b")->root(), "s3://b");
  EXPECT_THROW(open_s3_store(nullptr, "/a/folder"), Error);
}

TEST_F(S3StoreTest, EveryCallIsOneRequest) {
  EXPECT_EQ(store().get("a"), std::nullopt);
  EXPECT_EQ(store().size("a"), std::nullopt);
  store().put("a", pieces("x"));
  EXPECT_TRUE(store().create("a", pieces("x")));
  EXPECT_THAT(lines(), ElementsAre("GET /b/root/a", "HEAD /b/root/a", "PUT /b/root/a", "PUT /b/root/a"));
}

TEST_F(S3StoreTest, KeepingTakesOneConditionalRequestForEachThatIsSmall) {
  const storage::Content contents[] = {content("a"), content("old"), content("a")};
  store().keep(contents);
  EXPECT_THAT(lines(), UnorderedElementsAre("PUT /b/root/a", "PUT /b/root/old"));
  for (const auto& request : requests()) {
    EXPECT_EQ(header_of(request, "if-none-match"), "*");
    EXPECT_EQ(header_of(request, "x-amz-meta-metaflow-user-attributes"), R"({"a": 1})");
  }
}

TEST_F(S3StoreTest, WhatWasKeptOrAssumedTakesNone) {
  const storage::Content contents[] = {content("a"), content("b")};
  store().assume("b");
  store().keep(contents);
  store().keep(contents);
  EXPECT_THAT(lines(), ElementsAre("PUT /b/root/a"));
}

TEST_F(S3StoreTest, LargeOnesAreAskedForBeforeTheyAreSent) {
  EXPECT_NE(store().size("old"), std::nullopt);  // else the bucket may be asked for, too, as HEAD names no reason
  const storage::Content contents[] = {content("old", 1 << 20), content("a", 1 << 20)};
  store().keep(contents);
  EXPECT_THAT(lines(), UnorderedElementsAre("HEAD /b/root/old", "HEAD /b/root/old", "HEAD /b/root/a", "PUT /b/root/a"));
}

TEST_F(S3StoreTest, ALogIsOneRequestWhenItIsSettled) {
  for (int i = 0; i < 100; ++i) store().append("log", "line\n");
  EXPECT_THAT(lines(), IsEmpty());
  store().settle("log");
  store_.reset();
  ASSERT_EQ(count(), 1u);
  EXPECT_EQ(body_of(requests().front()).size(), 500u);
}

TEST_F(S3StoreTest, ALogThatIsThereAlreadyIsReadOnce) {
  store().append("old", "one\n");
  store_.reset();
  EXPECT_THAT(lines(), ElementsAre("PUT /b/root/old", "GET /b/root/old", "PUT /b/root/old"));
  EXPECT_EQ(body_of(requests().back()), "before one\n");
}

}  // namespace
}  // namespace metaflow::cloud
