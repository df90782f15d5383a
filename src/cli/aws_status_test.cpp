#include "cli/aws_status.hpp"

#include <gtest/gtest.h>

namespace metaflow::cli {
namespace {

TEST(AwsStatus, SaysWhatIsKnown) {
  const gateway::AwsStatus status{.profile = "default",
                                  .region = gateway::Region{"eu-west-1", "AWS_REGION"},
                                  .keys = gateway::KeyFacts{"AKIA1", "keys from the environment"},
                                  .identity = gateway::Identity{"123456789012", "arn:aws:iam::123456789012:user/ada"},
                                  .warnings = {"Two places say something else"}};
  EXPECT_EQ(aws_lines(status),
            "AWS:\n\n"
            "profile   default\n"
            "region    eu-west-1, from AWS_REGION\n"
            "keys      AKIA1, keys from the environment\n"
            "identity  arn:aws:iam::123456789012:user/ada, of account 123456789012\n"
            "warning   Two places say something else\n");
}

TEST(AwsStatus, SaysWhySomethingIsNotKnown) {
  const gateway::AwsStatus status{.profile = "x",
                                  .region = gateway::NoAnswer{"No region."},
                                  .keys = gateway::NoAnswer{"No keys."},
                                  .identity = gateway::NoAnswer{"Nobody."}};
  EXPECT_EQ(aws_lines(status), "AWS:\n\nprofile   x\nregion    No region.\nkeys      No keys.\nidentity  Nobody.\n");
}

}  // namespace
}  // namespace metaflow::cli
