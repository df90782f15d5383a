#include "aws/s3_write.hpp"

#include "aws/digest.hpp"
#include "aws/s3_test_support.hpp"

namespace metaflow::aws {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class S3WriteTest : public S3Test {
 protected:
  S3Put put_of(std::string bytes, S3Condition condition = S3Condition::none) {
    bytes_.own(std::move(bytes));
    return {.place = {"bucket", "key"}, .body = &bytes_, .condition = condition};
  }
  bool create(std::string bytes = "bytes") { return client().put(put_of(std::move(bytes), S3Condition::if_absent)); }

  Pieces bytes_;
};

TEST_F(S3WriteTest, APutIsOneRequestWithAllThatIsToBeKept) {
  settings_.encryption = "aws:kms";
  serve_in_order({reply("200 OK")});
  auto value = put_of("bytes");
  value.content_type = "text/plain";
  value.metadata = {{"some-name", R"({"a": 1})"}};
  EXPECT_TRUE(client().put(value));
  ASSERT_EQ(count(), 1u);
  const auto request = requests().front();
  EXPECT_EQ(line_of(request), "PUT /bucket/key");
  EXPECT_EQ(body_of(request), "bytes");
  EXPECT_EQ(header_of(request, "content-type"), "text/plain");
  EXPECT_EQ(header_of(request, "x-amz-meta-some-name"), R"({"a": 1})");
  EXPECT_EQ(header_of(request, "x-amz-server-side-encryption"), "aws:kms");
  EXPECT_EQ(header_of(request, "x-amz-content-sha256"), sha256_hex("bytes"));
  EXPECT_EQ(header_of(request, "if-none-match"), "");
}

TEST_F(S3WriteTest, AnEmptyValueIsPut) {
  serve_in_order({reply("200 OK")});
  EXPECT_TRUE(client().put(put_of("")));
  EXPECT_EQ(header_of(requests().front(), "Content-Length"), "0");
}

TEST_F(S3WriteTest, APutIsTriedAgainWithTheSameBytes) {
  serve([this](const std::string&) -> Reply {
    if (count() == 1) return error_reply("503 Slow Down", "SlowDown");
    return count() == 2 ? Reply{"", After::reset} : reply("200 OK");
  });
  EXPECT_TRUE(client().put(put_of("bytes")));
  ASSERT_EQ(count(), 3u);
  EXPECT_EQ(body_of(requests().back()), "bytes");
}

TEST_F(S3WriteTest, AConditionalPutWritesWhereNothingIs) {
  serve_in_order({reply("200 OK")});
  EXPECT_TRUE(create());
  EXPECT_EQ(header_of(requests().front(), "if-none-match"), "*");
}

TEST_F(S3WriteTest, AConditionalPutLeavesWhatIsThere) {
  serve_in_order({error_reply("412 Precondition Failed", "PreconditionFailed")});
  EXPECT_FALSE(create());
  EXPECT_EQ(count(), 1u);
}

// 409 comes also when somebody removes the object at this moment: it does not say that there is one.
TEST_F(S3WriteTest, AConditionalPutBesidesAnotherWriterIsTriedAgain) {
  serve_in_order({error_reply("409 Conflict", "ConditionalRequestConflict"),
                  error_reply("412 Precondition Failed", "PreconditionFailed")});
  EXPECT_FALSE(create());
  EXPECT_EQ(count(), 2u);
}

TEST_F(S3WriteTest, AServerWithoutConditionalPutsIsLookedAtFirst) {
  serve([](const std::string& request) {
    if (!header_of(request, "if-none-match").empty()) return error_reply("501 Not Implemented", "NotImplemented");
    if (!line_of(request).starts_with("HEAD")) return reply("200 OK");
    return line_of(request).ends_with("/old") ? reply("200 OK") : reply("404 Not Found");
  });
  EXPECT_TRUE(create());
  auto old = put_of("", S3Condition::if_absent);
  old.place.key = "old";
  EXPECT_FALSE(client().put(old));
  EXPECT_THAT(lines(), ElementsAre("PUT /bucket/key", "HEAD /bucket/key", "PUT /bucket/key", "HEAD /bucket/old"));
  EXPECT_EQ(body_of(requests()[2]), "bytes");
}

TEST_F(S3WriteTest, ADeniedPutSaysWhatToAllow) {
  serve_in_order({error_reply("403 Forbidden", "AccessDenied")});
  const auto [code, words] = error_of([&] { client().put(put_of("bytes")); });
  EXPECT_EQ(code, ErrorCode::denied);
  EXPECT_EQ(words,
            "S3 does not allow s3:PutObject for s3://bucket/key to the key KEY1: AccessDenied (403): words. Allow "
            "s3:PutObject there, or choose other keys by AWS_PROFILE.");
  EXPECT_EQ(count(), 1u);
}

/// A server that puts parts together.
class S3PartsTest : public S3WriteTest {
 protected:
  S3PartsTest() {
    serve([this](const std::string& request) { return answer(request); });
    for (std::size_t i = 0; i < whole_.size(); ++i) whole_[i] = static_cast<char>(i * 7 + i / 251);
  }

  Reply answer(const std::string& request) {
    const auto line = line_of(request);
    if (line.starts_with("POST /bucket/key?uploads"))
      return reply("200 OK", "<InitiateMultipartUploadResult><UploadId>u/1</UploadId></InitiateMultipartUploadResult>");
    if (line.starts_with("PUT /bucket/key?partNumber=")) {
      const auto number = line.substr(std::string("PUT /bucket/key?partNumber=").size(), 1);
      const std::scoped_lock lock(parts_mutex_);
      if (number == failing_ && failures_++ < most_failures_) return error_reply("503 Slow Down", "SlowDown");
      if (number == denied_) return error_reply("403 Forbidden", "AccessDenied");
      parts_[number] = body_of(request);
      return reply("200 OK", "", "ETag: \"e" + number + "\"\r\n");
    }
    if (line.starts_with("POST /bucket/key?uploadId=u%2F1")) return on_end_(request);
    if (line.starts_with("DELETE")) return reply("204 No Content");
    return reply("200 OK", "", "");
  }
  bool put_whole(S3Condition condition = S3Condition::none) { return client().put(put_of(whole_, condition)); }
  std::size_t count_of(const std::string& line) const {
    return static_cast<std::size_t>(std::ranges::count_if(lines(), [&](auto& one) { return one.starts_with(line); }));
  }

  std::string whole_ = std::string((17 << 20) + 5, '\0');
  std::mutex parts_mutex_;
  std::map<std::string, std::string> parts_;
  std::string failing_, denied_;
  int failures_ = 0, most_failures_ = 2;
  Answer on_end_ = [](const std::string&) { return reply("200 OK", "<CompleteMultipartUploadResult/>"); };
};

TEST_F(S3PartsTest, ALargeValueGoesInParts) {
  EXPECT_TRUE(put_whole());
  EXPECT_TRUE(parts_["1"] + parts_["2"] + parts_["3"] == whole_);
  EXPECT_EQ(parts_["1"].size(), 8u << 20);
  EXPECT_EQ(body_of(requests().back()),
            R"(<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"e1"</ETag></Part><Part><PartNumber>2)"
            R"(</PartNumber><ETag>"e2"</ETag></Part><Part><PartNumber>3</PartNumber><ETag>"e3"</ETag></Part>)"
            "</CompleteMultipartUpload>");
  EXPECT_EQ(count(), 5u);
}

TEST_F(S3PartsTest, PiecesAreDividedWhereverTheyEnd) {
  Pieces pieces;
  const std::size_t cuts[] = {0, 1, 5 << 20, (5 << 20) + 3, 9 << 20, whole_.size()};
  for (std::size_t i = 1; i < std::size(cuts); ++i)
    pieces.borrow(std::as_bytes(std::span(whole_)).subspan(cuts[i - 1], cuts[i] - cuts[i - 1]));
  EXPECT_TRUE(client().put({.place = {"bucket", "key"}, .body = &pieces}));
  EXPECT_TRUE(parts_["1"] + parts_["2"] + parts_["3"] == whole_);
}

TEST_F(S3PartsTest, APartThatFailsIsSentAgainAlone) {
  failing_ = "2";
  EXPECT_TRUE(put_whole());
  EXPECT_TRUE(parts_["1"] + parts_["2"] + parts_["3"] == whole_);
  EXPECT_EQ(count(), 7u);
}

TEST_F(S3PartsTest, PartsOfAFailureAreRemoved) {
  denied_ = "3";
  const auto [code, words] = error_of([&] { put_whole(); });
  EXPECT_EQ(code, ErrorCode::denied);
  EXPECT_EQ(line_of(requests().back()), "DELETE /bucket/key?uploadId=u%2F1");
}

TEST_F(S3PartsTest, AnEndThatFailsInsideASuccessIsTriedAgain) {
  on_end_ = [this](const std::string&) {
    return failures_++ == 0 ? error_reply("200 OK", "InternalError")
                            : reply("200 OK", "<CompleteMultipartUploadResult/>");
  };
  EXPECT_TRUE(put_whole());
  EXPECT_EQ(count_of("POST /bucket/key?uploadId"), 2u);
}

TEST_F(S3PartsTest, AnEndThatIsRefusedInsideASuccessIsAnError) {
  on_end_ = [](const std::string&) { return error_reply("200 OK", "EntityTooSmall"); };
  const auto [code, words] = error_of([&] { put_whole(); });
  EXPECT_EQ(code, ErrorCode::invalid);
  EXPECT_THAT(words, HasSubstr("s3://bucket/key: EntityTooSmall (200): words"));
  EXPECT_THAT(lines(), Contains("DELETE /bucket/key?uploadId=u%2F1"));
}

TEST_F(S3PartsTest, AnEndWhoseAnswerWasLostIsFoundOut) {
  const auto serve_parts = [this](const std::string& request) -> Reply {
    if (!line_of(request).starts_with("HEAD")) return answer(request);
    return {"HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(whole_.size()) + "\r\n\r\n"};
  };
  serve(serve_parts);
  on_end_ = [this](const std::string&) -> Reply {
    return failures_++ == 0 ? Reply{"", After::reset} : error_reply("404 Not Found", "NoSuchUpload");
  };
  EXPECT_TRUE(put_whole());
  EXPECT_EQ(count_of("DELETE"), 0u);
}

TEST_F(S3PartsTest, WhatIsThereAlreadyIsLeftAndThePartsAreRemoved) {
  on_end_ = [](const std::string& request) {
    return header_of(request, "if-none-match") == "*" ? error_reply("412 Precondition Failed", "PreconditionFailed")
                                                      : reply("200 OK");
  };
  EXPECT_FALSE(put_whole(S3Condition::if_absent));
  EXPECT_EQ(count_of("DELETE"), 1u);
}

TEST_F(S3WriteTest, RemovingTakesOneRequestForAThousandKeys) {
  serve_in_order({reply("200 OK", "<DeleteResult/>")});
  std::vector<S3Place> places;
  for (int i = 0; i < 1001; ++i) places.push_back({"bucket", "k&" + std::to_string(i)});
  client().remove(places);
  ASSERT_EQ(count(), 2u);
  for (const auto& request : requests()) {
    EXPECT_EQ(line_of(request), "POST /bucket?delete=");
    EXPECT_EQ(header_of(request, "content-md5"), md5_base64(body_of(request)));
    EXPECT_THAT(body_of(request), HasSubstr("<Delete><Quiet>true</Quiet><Object><Key>k&amp;"));
  }
}

TEST_F(S3WriteTest, WhatCannotBeRemovedIsAnErrorThatNamesIt) {
  serve_in_order({reply("200 OK",
                        "<DeleteResult><Error><Key>k1</Key><Code>AccessDenied</Code><Message>words</Message>"
                        "</Error></DeleteResult>")});
  const S3Place places[] = {{"bucket", "k0"}, {"bucket", "k1"}};
  const auto [code, words] = error_of([&] { client().remove(places); });
  EXPECT_EQ(code, ErrorCode::denied);
  EXPECT_THAT(words, HasSubstr("s3:DeleteObject for s3://bucket/k1"));
}

TEST_F(S3WriteTest, ListsComeInPages) {
  serve([](const std::string& request) {
    if (line_of(request).find("continuation-token=t%2F1") == std::string::npos)
      return reply("200 OK",
                   "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
                   "<NextContinuationToken>t/1</NextContinuationToken><Contents><Key>a/%C3%BC+b%2B</Key>"
                   "<Size>7</Size><ETag>&quot;e&quot;</ETag><LastModified>2026-11-24T15:04:05.000Z</LastModified>"
                   "</Contents></ListBucketResult>");
    return reply("200 OK",
                 "<ListBucketResult><IsTruncated>false</IsTruncated><CommonPrefixes><Prefix>a/f+/</Prefix>"
                 "</CommonPrefixes></ListBucketResult>");
  });
  const auto listing = client().list({.prefix = {"bucket", "a/"}, .delimiter = "/"});
  ASSERT_EQ(listing.objects.size(), 1u);
  EXPECT_EQ(listing.objects[0].key, "a/ü b+");
  EXPECT_EQ(listing.objects[0].size, 7u);
  EXPECT_EQ(listing.objects[0].modified_s, 1795532645);
  EXPECT_THAT(listing.folders, ElementsAre("a/f+/"));
  EXPECT_EQ(line_of(requests().front()), "GET /bucket?delimiter=%2F&encoding-type=url&list-type=2&prefix=a%2F");
}

TEST_F(S3WriteTest, AnAnswerThatIsNoListIsAnError) {
  serve_in_order({reply("200 OK", "<html>Welcome to our network</html>")});
  EXPECT_THAT(error_of([&] { client().list({.prefix = {"bucket", ""}}); }).second, HasSubstr("If a proxy stands"));
}

}  // namespace
}  // namespace metaflow::aws
