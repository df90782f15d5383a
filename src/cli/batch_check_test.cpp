#include "cli/batch_check.hpp"

#include <gmock/gmock.h>

#include <metaflow/error.hpp>

namespace metaflow::cli {
namespace {

using testing::HasSubstr;

model::Flow flow_with(std::vector<model::Decorator> decorators) {
  model::Flow flow;
  flow.steps.resize(2);
  flow.steps[0].name = "start";
  flow.steps[1].name = "work";
  flow.steps[1].decorators = std::move(decorators);
  return flow;
}

std::string refusal(const model::Flow& flow, std::string_view datastore, const batch::Defaults& defaults) {
  try {
    check_batch(flow, datastore, defaults);
  } catch (const Error& error) {
    return error.headline() + ": " + error.what();
  }
  return "";
}

const batch::Defaults complete{.image = "films:1", .iam_role = "arn:role"};

TEST(BatchCheck, AFlowWithoutBatchNeedsNothing) { EXPECT_EQ(refusal(flow_with({{"retry", {}}}), "local", {}), ""); }
TEST(BatchCheck, BatchNeedsADatastoreThatItReaches) {
  EXPECT_THAT(refusal(flow_with({{"batch", {}}}), "local", complete),
              HasSubstr("AWS Batch error: The @batch decorator requires --datastore=s3: a task of step 'work'"));
  EXPECT_EQ(refusal(flow_with({{"batch", {}}}), "s3", complete), "");
}
TEST(BatchCheck, ARoleIsNeededAndTheStepMayNameIt) {
  EXPECT_THAT(refusal(flow_with({{"batch", {}}}), "s3", {.image = "films:1"}), HasSubstr("no IAM role is set"));
  EXPECT_EQ(refusal(flow_with({{"batch", {{"iam_role", "\"arn:x\""}}}}), "s3", {.image = "films:1"}), "");
}
TEST(BatchCheck, AGangIsRefused) {
  EXPECT_THAT(refusal(flow_with({{"batch", {}}, {"parallel", {}}}), "s3", complete), HasSubstr("is run as a gang"));
}

}  // namespace
}  // namespace metaflow::cli
