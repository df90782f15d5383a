#include "cli/aws_names.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace metaflow::cli {
namespace {

using testing::HasSubstr;
using testing::Optional;

TEST(AwsNames, AnS3UrlNamesABucketAndMayNameAFolder) {
  for (const auto* url : {"s3://abc", "s3://my.bucket-1/a/b", "s3://abc/", "s3://abc/Proj_1"})
    EXPECT_EQ(mistake_in_s3_url(url), std::nullopt) << url;
}

TEST(AwsNames, WhatIsWrongWithAnS3UrlIsSaid) {
  EXPECT_THAT(mistake_in_s3_url("bucket/x"), Optional(HasSubstr("should begin with s3://, like s3://bucket/x")));
  EXPECT_THAT(mistake_in_s3_url("https://bucket.s3.amazonaws.com"), Optional(HasSubstr("of the form s3://")));
  EXPECT_THAT(mistake_in_s3_url("arn:aws:s3:::bucket"), Optional(HasSubstr("of the form s3://")));
  EXPECT_THAT(mistake_in_s3_url("s3://"), Optional(HasSubstr("names no bucket")));
  EXPECT_THAT(mistake_in_s3_url("s3://ab"), Optional(HasSubstr("3 to 63 characters")));
  EXPECT_THAT(mistake_in_s3_url("s3://My_bucket"), Optional(HasSubstr("there is no 'M'")));
  EXPECT_THAT(mistake_in_s3_url("s3://-bucket"), Optional(HasSubstr("begin and end")));
  EXPECT_THAT(mistake_in_s3_url("s3://a..b"), Optional(HasSubstr("does not allow")));
  EXPECT_THAT(mistake_in_s3_url("s3://192.168.5.4"), Optional(HasSubstr("does not allow")));
  EXPECT_THAT(mistake_in_s3_url("s3://bucket/a b"), Optional(HasSubstr("blank")));
  EXPECT_THAT(mistake_in_s3_url("s3://bucket//a"), Optional(HasSubstr("two slashes")));
}

TEST(AwsNames, AQueueHasANameOrAnArn) {
  for (const auto* queue : {"jobs", "my_queue-1", "arn:aws:batch:eu-west-1:123456789012:job-queue/jobs"})
    EXPECT_EQ(mistake_in_queue(queue), std::nullopt) << queue;
  EXPECT_THAT(mistake_in_queue("my queue"), Optional(HasSubstr("no name of a queue")));
  EXPECT_THAT(mistake_in_queue("arn:aws:batch"), Optional(HasSubstr("is none")));
  EXPECT_THAT(mistake_in_queue("arn:aws:batch:eu-west-1:123456789012:compute-environment/x"),
              Optional(HasSubstr("something else (batch:compute-environment/x)")));
  EXPECT_THAT(mistake_in_queue("arn:aws:batch:eu-west-1:123:job-queue/x"), Optional(HasSubstr("12 digits")));
  EXPECT_THAT(mistake_in_queue(std::string(129, 'q')), Optional(HasSubstr("too long")));
}

TEST(AwsNames, ARoleHasANameOrAnArn) {
  for (const auto* role : {"job-role", "a+b=c,d.e@f", "arn:aws:iam::123456789012:role/path/job-role"})
    EXPECT_EQ(mistake_in_role(role), std::nullopt) << role;
  EXPECT_THAT(mistake_in_role("arn:aws:iam::123456789012:user/ann"),
              Optional(HasSubstr("something else (iam:user/ann)")));
  EXPECT_THAT(mistake_in_role("arn:aws:sts::123456789012:assumed-role/r/s"), Optional(HasSubstr("something else")));
  EXPECT_THAT(mistake_in_role("path/role"), Optional(HasSubstr("no name of a role")));
  EXPECT_THAT(mistake_in_role(std::string(65, 'r')), Optional(HasSubstr("too long")));
}

TEST(AwsNames, AnImageIsWhatDockerPulls) {
  for (const auto* image :
       {"python:3.11", "public.ecr.aws/docker/library/python:3.11", "localhost:5000/a/b@sha256:00ff",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/flow:V2"})
    EXPECT_EQ(mistake_in_image(image), std::nullopt) << image;
  EXPECT_THAT(mistake_in_image("https://hub.docker.com/python"), Optional(HasSubstr("web address")));
  EXPECT_THAT(mistake_in_image("Python:3"), Optional(HasSubstr("capital letters")));
  EXPECT_THAT(mistake_in_image("python 3"), Optional(HasSubstr("no image")));
  EXPECT_THAT(mistake_in_image("python:"), Optional(HasSubstr("no whole image")));
}

}  // namespace
}  // namespace metaflow::cli
