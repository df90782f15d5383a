#include "aws/s3_place.hpp"

#include <gtest/gtest.h>

#include <metaflow/error.hpp>

namespace metaflow::aws {
namespace {

TEST(S3Place, IsReadFromItsUrl) {
  EXPECT_EQ(parse_s3_url("s3://bucket/a/b"), (S3Place{"bucket", "a/b"}));
  EXPECT_EQ(parse_s3_url("s3://bucket"), (S3Place{"bucket", ""}));
  EXPECT_EQ(parse_s3_url("s3://bucket/"), (S3Place{"bucket", ""}));
  EXPECT_EQ(parse_s3_url("s3://b//a#?x y/"), (S3Place{"b", "/a#?x y/"}));
  EXPECT_EQ(parse_s3_url("s3://b/a b").url(), "s3://b/a b");
}

TEST(S3Place, OtherTextsAreRefused) {
  for (const auto* text : {"", "bucket/key", "s3://", "s3:///key", "https://bucket/key"})
    EXPECT_THROW(parse_s3_url(text), Error) << text;
}

TEST(S3Address, HasTheBucketInTheHostOnAws) {
  const auto address =
      s3_address("https://s3.eu-west-1.amazonaws.com", S3Addressing::host_if_possible, {"my-bucket", "a/b c+ü//d"});
  EXPECT_EQ(address.host, "my-bucket.s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(address.path, "/a/b%20c%2B%C3%BC//d");
  EXPECT_EQ(address.url, "https://my-bucket.s3.eu-west-1.amazonaws.com/a/b%20c%2B%C3%BC//d");
}

TEST(S3Address, HasABucketThatCanBeNoHostInThePath) {
  const std::string endpoint = "https://s3.eu-west-1.amazonaws.com";
  for (const auto* bucket : {"with.dot", "With-Capital", "under_score", "-dash", "dash-", "ab"}) {
    const auto address = s3_address(endpoint, S3Addressing::host_if_possible, {bucket, "key"});
    EXPECT_EQ(address.url, endpoint + "/" + bucket + "/key");
    EXPECT_EQ(address.host, "s3.eu-west-1.amazonaws.com");
  }
}

TEST(S3Address, HasTheBucketInThePathElsewhere) {
  EXPECT_EQ(s3_address("http://127.0.0.1:9000", S3Addressing::path, {"bucket", "key"}).url,
            "http://127.0.0.1:9000/bucket/key");
  EXPECT_EQ(s3_address("http://127.0.0.1:9000", S3Addressing::path, {"bucket", "key"}).host, "127.0.0.1:9000");
  EXPECT_EQ(s3_address("https://gate/way", S3Addressing::path, {"bucket", "./key"}).path, "/way/bucket/./key");
}

TEST(S3Address, OfABucketAlone) {
  EXPECT_EQ(s3_address("http://host", S3Addressing::path, {"bucket"}).url, "http://host/bucket");
  EXPECT_EQ(s3_address("http://host", S3Addressing::host_if_possible, {"bucket"}).url, "http://bucket.host/");
}

}  // namespace
}  // namespace metaflow::aws
