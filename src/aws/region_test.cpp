#include "aws/region.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "base/random.hpp"

namespace metaflow::aws {
namespace {

class Region : public testing::Test {
 protected:
  Region() : home_(testing::TempDir() + "/region" + random_name(8)) {}
  ~Region() override { remove_tree(home_); }
  void config(const std::string& text) { replace_file(home_ + "/.aws/config", text); }
  Profiles profiles() const { return Profiles(environment_, home_); }
  std::optional<RegionChoice> choice(const RegionHints& hints = {}) const {
    return choose_region(environment_, profiles(), "default", hints);
  }
  std::optional<std::string> custom(const std::string& service, const std::string& setting = "") const {
    return custom_endpoint(environment_, profiles(), "default", service, setting);
  }
  std::string home_;
  Environment environment_;
};

TEST_F(Region, NobodySaysOne) {
  EXPECT_FALSE(choice());
  EXPECT_EQ(no_region_sentence(profiles(), "x"), "No AWS region is set: put 'region = ...' below the profile 'x' in '" +
                                                     home_ + "/.aws/config', or set AWS_REGION");
}

TEST_F(Region, IsTakenFromTheFirstPlaceThatSaysOne) {
  const RegionHints queue{.arn = "arn:aws:batch:sa-east-1:123456789012:job-queue/q"};
  EXPECT_EQ(choice(queue)->region, "sa-east-1");
  config("[default]\nregion = eu-west-1\n");
  EXPECT_EQ(choice(queue)->origin, "'" + home_ + "/.aws/config' line 2");
  environment_["AWS_DEFAULT_REGION"] = "eu-west-2";
  EXPECT_EQ(choice()->region, "eu-west-2");
  environment_["AWS_REGION"] = "eu-west-3";
  EXPECT_EQ(choice()->region, "eu-west-3");
  EXPECT_EQ(choice({.wanted = "eu-north-1"})->region, "eu-north-1");
}

TEST_F(Region, PlacesThatDisagreeAreNamed) {
  environment_ = {{"AWS_REGION", "eu-west-1"}, {"AWS_DEFAULT_REGION", "us-east-1"}};
  EXPECT_THAT(
      choice()->warnings,
      testing::ElementsAre("AWS_REGION says eu-west-1 and AWS_DEFAULT_REGION says us-east-1; eu-west-1 is used"));
  environment_["AWS_DEFAULT_REGION"] = "eu-west-1";
  EXPECT_THAT(choice()->warnings, testing::IsEmpty());
}

TEST_F(Region, EndpointsOfSomebodyElseAreTakenInOrder) {
  EXPECT_EQ(custom("S3"), std::nullopt);
  config(
      "[default]\nendpoint_url = http://profile/\nservices = local\n[services local]\ns3 =\n  endpoint_url = "
      "http://block\n");
  EXPECT_EQ(custom("STS"), "http://profile");
  EXPECT_EQ(custom("S3"), "http://block");
  environment_["AWS_ENDPOINT_URL"] = "http://all";
  EXPECT_EQ(custom("S3"), "http://all");
  environment_["AWS_ENDPOINT_URL_S3"] = "http://s3";
  EXPECT_EQ(custom("S3"), "http://s3");
  EXPECT_EQ(custom("S3", "http://setting"), "http://setting");
  environment_["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "True";
  EXPECT_EQ(custom("S3"), std::nullopt);
  EXPECT_EQ(custom("S3", "http://setting"), "http://setting");
}

TEST_F(Region, EndpointsFollowThePartition) {
  EXPECT_EQ(aws_endpoint({}, "batch", "eu-west-1"), "https://batch.eu-west-1.amazonaws.com");
  EXPECT_EQ(aws_endpoint({}, "s3", "cn-north-1"), "https://s3.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(partition_of("us-gov-west-1"), "aws-us-gov");
}

TEST_F(Region, FipsAndDualStackHaveEndpointsOfTheirOwn) {
  const Environment fips = {{"AWS_USE_FIPS_ENDPOINT", "true"}}, dual = {{"AWS_USE_DUALSTACK_ENDPOINT", "true"}};
  EXPECT_EQ(aws_endpoint(fips, "sts", "us-east-1"), "https://sts-fips.us-east-1.amazonaws.com");
  EXPECT_EQ(aws_endpoint(fips, "batch", "us-east-1"), "https://fips.batch.us-east-1.amazonaws.com");
  EXPECT_EQ(aws_endpoint(fips, "batch", "us-gov-west-1"), "https://batch.us-gov-west-1.amazonaws.com");
  EXPECT_EQ(aws_endpoint(fips, "s3", "us-gov-west-1"), "https://s3-fips.us-gov-west-1.amazonaws.com");
  EXPECT_EQ(aws_endpoint(dual, "s3", "eu-west-1"), "https://s3.dualstack.eu-west-1.amazonaws.com");
  EXPECT_EQ(aws_endpoint(dual, "sts", "cn-north-1"), "https://sts.cn-north-1.api.amazonwebservices.com.cn");
}

TEST_F(Region, TheProfileIsThatOfAwsProfileAndADifferenceIsNamed) {
  EXPECT_EQ(choose_profile({}).name, "default");
  const auto both = choose_profile({{"AWS_PROFILE", "a"}, {"AWS_DEFAULT_PROFILE", "b"}});
  EXPECT_EQ(both.name, "a");
  EXPECT_EQ(both.warnings.size(), 1U);
  EXPECT_EQ(choose_profile({{"AWS_DEFAULT_PROFILE", "b"}}).name, "b");
}

TEST_F(Region, NamesOfProfilesMayBeQuoted) {
  config("[profile \"a b\"]\nregion = r\n");
  EXPECT_EQ(profiles().value("a b", "region")->text, "r");
  EXPECT_FALSE(profiles().has("a"));
}

}  // namespace
}  // namespace metaflow::aws
