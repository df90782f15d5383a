#include "aws/signature.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace metaflow::aws {
namespace {

const auto nothing_digest = sha256_hex("");

std::string authorization_of(const Signature& signature) {
  for (const auto& [name, value] : signature.headers)
    if (name == "authorization") return value;
  return "";
}

// What AWS has published: "Signature Calculations for the Authorization Header" and "Authenticating Requests: Using Query
// Parameters" of the S3 reference, and the case get-vanilla of its signing suite.
class PublishedExample : public testing::Test {
 protected:
  RequestToSign request(std::string payload_digest) const {
    return {.method = "GET",
            .path = "/test.txt",
            .headers = {{"Host", "examplebucket.s3.amazonaws.com"}},
            .payload_digest = std::move(payload_digest),
            .path_rule = PathRule::as_sent};
  }
  const SigningKeys keys_{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
  const SigningScope scope_{"us-east-1", "s3"};
  static constexpr std::int64_t time_s = 1'369'353'600;  // 2013-05-24
};

TEST_F(PublishedExample, AnObjectOfS3IsSignedInAHeader) {
  auto ranged = request(nothing_digest);
  ranged.headers.emplace_back("Range", "bytes=0-9");
  const auto signature = sign_headers(ranged, keys_, scope_, time_s);
  EXPECT_EQ(authorization_of(signature),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_F(PublishedExample, AnObjectOfS3IsSignedInTheQuery) {
  const auto signature = sign_query(request(std::string(unsigned_payload)), keys_, scope_, time_s, 86'400);
  EXPECT_EQ(signature.signature, "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
  EXPECT_THAT(signature.query, testing::EndsWith("&X-Amz-Signature=" + signature.signature));
  EXPECT_TRUE(signature.headers.empty());
}

TEST_F(PublishedExample, AnyOtherServiceIsSignedInAHeader) {
  const auto signature = sign_headers(
      {.method = "GET", .path = "/", .headers = {{"Host", "example.amazonaws.com"}}, .payload_digest = nothing_digest},
      {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}, {"us-east-1", "service"}, 1'440'938'160);
  EXPECT_EQ(signature.signature, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

}  // namespace
}  // namespace metaflow::aws
