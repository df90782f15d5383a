#include "aws/s3_call.hpp"

#include "aws/s3_test_support.hpp"

namespace metaflow::aws {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

const S3Place place{"bucket", "a/key"};

/// What helps against any refusal, shown by a GET.
class S3CallTest : public S3Test {
 protected:
  std::string read() {
    const auto object = client().get(S3Get{place});
    return object ? std::string(object->bytes.text()) : "nothing";
  }
  /// Gives `refusals` in order, and then the object.
  void refuse_first(std::vector<Reply> refusals) {
    serve([this, refusals = std::move(refusals)](const std::string& request) {
      return count() <= refusals.size() ? refusals[count() - 1] : range_reply(request, "bytes");
    });
  }
};

TEST_F(S3CallTest, RequestsAreSignedWithAllThatS3Wants) {
  refuse_first({});
  EXPECT_EQ(read(), "bytes");
  const auto request = requests().front();
  EXPECT_EQ(line_of(request), "GET /bucket/a/key");
  EXPECT_THAT(header_of(request, "authorization"),
              AllOf(HasSubstr("Credential=KEY1/"), HasSubstr("/eu-west-1/s3/aws4_request"),
                    HasSubstr("SignedHeaders=host;range;x-amz-content-sha256;x-amz-date")));
  EXPECT_EQ(header_of(request, "x-amz-content-sha256"), sha256_hex(""));
}

TEST_F(S3CallTest, WhatPassesIsTriedAgain) {
  refuse_first({error_reply("503 Slow Down", "SlowDown"), error_reply("503 Slow Down", "SlowDown"),
                error_reply("500 Internal Server Error", "InternalError"), reply("502 Bad Gateway"),
                error_reply("400 Bad Request", "RequestTimeout")});
  EXPECT_EQ(read(), "bytes");
  EXPECT_EQ(count(), 6u);
}

TEST_F(S3CallTest, TheThirdRetryIsTold) {
  std::vector<std::string> told;
  settings_.notice = [&](const std::string& sentence) { told.push_back(sentence); };
  refuse_first({error_reply("503 Slow Down", "SlowDown"), error_reply("503 Slow Down", "SlowDown"),
                error_reply("503 Slow Down", "SlowDown"), error_reply("503 Slow Down", "SlowDown")});
  EXPECT_EQ(read(), "bytes");
  EXPECT_THAT(told, ElementsAre("S3 cannot do s3:GetObject for s3://bucket/a/key just now and is asked again: SlowDown "
                                "(503): words"));
}

TEST_F(S3CallTest, WhenTheBudgetIsSpentTheErrorSaysWhatItWas) {
  serve_in_order({error_reply("503 Slow Down", "SlowDown")});
  const auto [code, words] = error_of([&] { read(); });
  EXPECT_EQ(code, ErrorCode::unavailable);
  EXPECT_THAT(words, testing::MatchesRegex("S3 could not do s3:GetObject for s3://bucket/a/key, tried [0-9]+ times: "
                                           "SlowDown \\(503\\): words. Try again later."));
}

TEST_F(S3CallTest, LostConnectionsAndShortBodiesAreTriedAgain) {
  serve([this](const std::string& request) -> Reply {
    const auto whole = range_reply(request, "bytes");
    const auto cut = whole.bytes.substr(0, whole.bytes.size() - 3);
    switch (count()) {
      case 1:
        return {"", After::reset};
      case 2:
        return {cut, After::reset};
      case 3:
        return {cut, After::close};
      case 4:  // of the wrong place
        return reply("206 Partial Content", "bytes", "Content-Range: bytes 5-9/10\r\n");
      case 5:  // without a length that could be found wrong
        return {"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-4/5\r\n\r\nbyt", After::close};
      default:
        return whole;
    }
  });
  EXPECT_EQ(read(), "bytes");
  EXPECT_EQ(count(), 6u);
}

TEST_F(S3CallTest, AServerThatStallsIsAskedAgain) {
  settings_.limits.budget = std::chrono::seconds(30);
  serve([this](const std::string& request) -> Reply {
    const auto whole = range_reply(request, "bytes");
    if (count() == 1) return {whole.bytes.substr(0, whole.bytes.size() - 3), After::hang};
    return whole;
  });
  EXPECT_EQ(read(), "bytes");
  EXPECT_EQ(count(), 2u);
}

TEST_F(S3CallTest, ABucketElsewhereIsAskedThereAndRemembered) {
  serve([](const std::string& request) {
    return header_of(request, "authorization").find("/ap-south-1/") == std::string::npos
               ? error_reply("301 Moved Permanently", "PermanentRedirect", "", "x-amz-bucket-region: ap-south-1\r\n")
               : range_reply(request, "bytes");
  });
  EXPECT_EQ(read(), "bytes");
  EXPECT_EQ(count(), 2u);
  EXPECT_EQ(read(), "bytes");
  EXPECT_EQ(count(), 3u);
}

TEST_F(S3CallTest, TheRegionMayBeNamedInTheBody) {
  refuse_first({error_reply("400 Bad Request", "AuthorizationHeaderMalformed", "<Region>ap-south-1</Region>")});
  EXPECT_EQ(read(), "bytes");
  EXPECT_THAT(header_of(requests().back(), "authorization"), HasSubstr("/ap-south-1/"));
}

TEST_F(S3CallTest, AHeadElsewhereHasOnlyAHeaderToGoBy) {
  for (const auto* status : {"301 Moved Permanently", "400 Bad Request", "307 Temporary Redirect"}) {
    serve([status](const std::string& request) {
      return header_of(request, "authorization").find("/ap-south-1/") == std::string::npos
                 ? reply(status, "", "x-amz-bucket-region: ap-south-1\r\n")
                 : reply("200 OK");
    });
    EXPECT_TRUE(client().head({"bucket-" + std::string(status).substr(0, 3), "key"})) << status;
  }
}

TEST_F(S3CallTest, ARedirectThatLeadsNowhereIsAnError) {
  serve_in_order(
      {error_reply("301 Moved Permanently", "PermanentRedirect", "", "x-amz-bucket-region: ap-south-1\r\n")});
  const auto [code, words] = error_of([&] { read(); });
  EXPECT_EQ(code, ErrorCode::invalid);
  EXPECT_THAT(words, HasSubstr("the bucket is not in the region 'ap-south-1'"));
  EXPECT_EQ(count(), 2u);
}

TEST_F(S3CallTest, AWrongClockIsCorrectedForAllThatFollows) {
  clock_.shift_s = 86'400;
  const auto date_header = [] { return "Date: Tue, 24 Nov 2026 15:04:05 GMT\r\n"; };
  serve([&](const std::string& request) {
    return header_of(request, "x-amz-date").starts_with("20261124T1504")
               ? range_reply(request, "bytes")
               : error_reply("403 Forbidden", "RequestTimeTooSkewed", "", date_header());
  });
  EXPECT_EQ(read(), "bytes");
  EXPECT_EQ(count(), 2u);
  EXPECT_EQ(read(), "bytes");
  EXPECT_EQ(count(), 3u);
}

TEST_F(S3CallTest, AClockThatIsStillWrongIsAnError) {
  serve_in_order({error_reply("403 Forbidden", "RequestTimeTooSkewed", "", "Date: Tue, 24 Nov 2026 15:04:05 GMT\r\n")});
  const auto [code, words] = error_of([&] { read(); });
  EXPECT_EQ(code, ErrorCode::denied);
  EXPECT_THAT(words, HasSubstr("S3 finds the clock of this machine wrong at s3:GetObject for s3://bucket/a/key"));
  EXPECT_EQ(count(), 2u);
}

TEST_F(S3CallTest, ExpiredKeysAreReplaced) {
  keys_.fresh = "KEY2";
  refuse_first({error_reply("400 Bad Request", "ExpiredToken")});
  EXPECT_EQ(read(), "bytes");
  EXPECT_THAT(header_of(requests().back(), "authorization"), HasSubstr("Credential=KEY2/"));
  EXPECT_EQ(count(), 2u);
}

TEST_F(S3CallTest, ExpiredKeysWithoutOthersAreAnErrorAtOnce) {
  serve_in_order({error_reply("400 Bad Request", "ExpiredToken")});
  const auto [code, words] = error_of([&] { read(); });
  EXPECT_EQ(code, ErrorCode::denied);
  EXPECT_THAT(words,
              AllOf(HasSubstr("S3 does not take the key KEY1 any more"), HasSubstr("ExpiredToken (400): words")));
  EXPECT_EQ(count(), 1u);
}

TEST_F(S3CallTest, AWrongSecretIsAnErrorAtOnce) {
  serve_in_order({error_reply("403 Forbidden", "SignatureDoesNotMatch")});
  const auto [code, words] = error_of([&] { read(); });
  EXPECT_EQ(code, ErrorCode::denied);
  EXPECT_THAT(words, HasSubstr("the secret does not belong to the key KEY1"));
  EXPECT_EQ(count(), 1u);
}

TEST_F(S3CallTest, AServerThatHasNeverAnsweredIsGivenUpAfterThreeTries) {
  settings_.limits.budget = std::chrono::minutes(5);
  settings_.endpoint = "http://127.0.0.1:1";
  auto [code, words] = error_of([&] { read(); });
  EXPECT_EQ(code, ErrorCode::unavailable);
  EXPECT_THAT(words, AllOf(HasSubstr("There is no S3 to be reached at http://127.0.0.1:1 for s3://bucket/a/key"),
                           HasSubstr("METAFLOW_S3_ENDPOINT_URL")));
}

TEST_F(S3CallTest, AMissingKeyTakesOneRequest) {
  serve_in_order({error_reply("404 Not Found", "NoSuchKey")});
  EXPECT_EQ(read(), "nothing");
  EXPECT_EQ(count(), 1u);
}

TEST_F(S3CallTest, AMissingBucketIsAnError) {
  serve_in_order({error_reply("404 Not Found", "NoSuchBucket")});
  const auto [code, words] = error_of([&] { read(); });
  EXPECT_EQ(code, ErrorCode::not_found);
  EXPECT_THAT(words, HasSubstr("There is no bucket 'bucket' for s3://bucket/a/key"));
}

TEST_F(S3CallTest, AHeadLooksForTheBucketOnce) {
  serve([](const std::string& request) {
    return line_of(request).starts_with("HEAD") ? reply("404 Not Found") : reply("200 OK");
  });
  EXPECT_FALSE(client().head(place));
  EXPECT_FALSE(client().head(place));
  EXPECT_THAT(lines(), ElementsAre("HEAD /bucket/a/key", "GET /bucket?list-type=2&max-keys=0&prefix=a%2Fkey",
                                   "HEAD /bucket/a/key"));
}

TEST_F(S3CallTest, AHeadInAMissingBucketIsAnError) {
  serve([](const std::string& request) {
    return line_of(request).starts_with("HEAD") ? reply("404 Not Found") : error_reply("404 Not Found", "NoSuchBucket");
  });
  EXPECT_THAT(error_of([&] { (void)client().head(place); }).second, HasSubstr("There is no bucket 'bucket'"));
}

TEST_F(S3CallTest, ADeniedReadSaysWhichRightIsMissing) {
  serve([](const std::string& request) {
    return line_of(request).ends_with("key") && line_of(request).find("list-type") == std::string::npos
               ? error_reply("403 Forbidden", "AccessDenied")
               : reply("200 OK");
  });
  const auto [code, words] = error_of([&] { read(); });
  EXPECT_EQ(code, ErrorCode::denied);
  EXPECT_THAT(words, AllOf(HasSubstr("S3 does not allow s3:GetObject for s3://bucket/a/key to the key KEY1"),
                           HasSubstr("AccessDenied (403): words")));
  EXPECT_EQ(count(), 2u);
}

TEST_F(S3CallTest, WithoutTheRightToListADeniedReadMayBeAMissingKey) {
  serve_in_order({error_reply("403 Forbidden", "AccessDenied")});
  const auto [code, words] = error_of([&] { read(); });
  EXPECT_EQ(code, ErrorCode::denied);
  EXPECT_THAT(words, AllOf(HasSubstr("s3://bucket/a/key, which may be denied or not exist"),
                           HasSubstr("s3:ListBucket on the bucket 'bucket'")));
  EXPECT_EQ(count(), 2u);
}

TEST_F(S3CallTest, AHeadThatIsRefusedForItsKeysFindsOutByTheProbe) {
  keys_.fresh = "KEY2";
  serve([](const std::string& request) {
    if (header_of(request, "authorization").find("KEY2") != std::string::npos) return reply("200 OK");
    return line_of(request).starts_with("HEAD") ? reply("400 Bad Request")
                                                : error_reply("400 Bad Request", "ExpiredToken");
  });
  EXPECT_TRUE(client().head(place));
  EXPECT_THAT(lines(), SizeIs(4));
}

}  // namespace
}  // namespace metaflow::aws
