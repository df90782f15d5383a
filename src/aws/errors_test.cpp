#include "aws/errors.hpp"

#include <cstring>

#include <gtest/gtest.h>

namespace metaflow::aws {
namespace {

ServiceError error_of(int status, std::string_view body, network::Headers headers = {}) {
  network::Response response;
  response.status = status;
  response.headers = std::move(headers);
  response.body = Buffer(body.size());
  if (!body.empty()) std::memcpy(response.body.data(), body.data(), body.size());
  return read_error(response);
}

TEST(ServiceError, IsReadFromTheXmlOfEachService) {
  const auto s3 =
      error_of(404, "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucket</Code><Message>No bucket</Message></Error>");
  EXPECT_EQ(s3.kind, Refusal::not_found);
  EXPECT_EQ(s3.sentence(), "NoSuchBucket (404): No bucket");
  EXPECT_EQ(error_of(403, "<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>").kind,
            Refusal::keys);
  EXPECT_EQ(
      error_of(503, "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>").kind,
      Refusal::transient);
}

TEST(ServiceError, IsReadFromJsonAndItsHeader) {
  const auto batch =
      error_of(403, R"({"message": "Too old"})", {{"x-amzn-errortype", "ExpiredTokenException:http://x/"}});
  EXPECT_EQ(batch.kind, Refusal::keys);
  EXPECT_EQ(batch.sentence(), "ExpiredTokenException (403): Too old");
  EXPECT_EQ(error_of(400, R"({"__type": "com.amazon.ecs#ThrottlingException", "Message": "Slow"})").kind,
            Refusal::transient);
}

TEST(ServiceError, WithoutABodyTheStatusDecides) {
  EXPECT_EQ(error_of(404, "").kind, Refusal::not_found);
  EXPECT_EQ(error_of(403, "").kind, Refusal::denied);
  EXPECT_EQ(error_of(412, "").kind, Refusal::conflict);
  EXPECT_EQ(error_of(416, "").kind, Refusal::range);
  EXPECT_EQ(error_of(429, "").kind, Refusal::transient);
  EXPECT_EQ(error_of(500, "<html>").kind, Refusal::transient);
  EXPECT_EQ(error_of(501, "").kind, Refusal::other);
  EXPECT_EQ(error_of(400, "{damaged").kind, Refusal::other);
  EXPECT_EQ(error_of(404, "").sentence(), "status 404");
}

TEST(ServiceError, AnotherRegionIsNamed) {
  const auto by_body =
      error_of(400, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>");
  EXPECT_EQ(by_body.kind, Refusal::wrong_region);
  EXPECT_EQ(by_body.region, "eu-west-1");
  EXPECT_EQ(error_of(301, "", {{"x-amz-bucket-region", "eu-west-2"}}).region, "eu-west-2");
}

TEST(ServiceError, AClockThatIsOffIsToldFromAWrongKey) {
  EXPECT_EQ(error_of(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>").kind, Refusal::clock);
  EXPECT_EQ(
      error_of(403, R"({"__type": "InvalidSignatureException", "message": "Signature expired: 1 is earlier"})").kind,
      Refusal::clock);
  EXPECT_EQ(error_of(403,
                     "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired: 1</Message>"
                     "</Error></ErrorResponse>")
                .kind,
            Refusal::clock);
  EXPECT_EQ(error_of(403, R"({"__type": "InvalidSignatureException", "message": "does not match"})").kind,
            Refusal::denied);
}

}  // namespace
}  // namespace metaflow::aws
