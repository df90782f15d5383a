#include "cli/suggestion.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace metaflow::cli {
namespace {

const std::vector<std::string> commands = {"run", "show", "dump", "output-dot", "output-raw"};

TEST(DidYouMean, NamesTheNearestWord) { EXPECT_EQ(did_you_mean("rnu", commands), " Did you mean 'run'?"); }
TEST(DidYouMean, TakesABeginningForTheWord) {
  EXPECT_EQ(did_you_mean("output-r", commands), " Did you mean 'output-raw'?");
}
TEST(DidYouMean, KeepsSilentWhenNothingIsNear) { EXPECT_EQ(did_you_mean("frobnicate", commands), ""); }
TEST(DidYouMean, IsNotTroubledByVeryLongWords) { EXPECT_EQ(did_you_mean(std::string(1 << 20, 'x'), commands), ""); }

TEST(SlipIn, IsNearerThanWhatMayBeMeant) {
  const std::vector<std::string> settings = {"USER", "DATASTORE_SYSROOT_S3", "BATCH_JOB_QUEUE"};
  EXPECT_EQ(slip_in("DATATOOLS_SYSROOT_S3", settings), "DATASTORE_SYSROOT_S3");
  EXPECT_EQ(slip_in("BATCH_JOBQUEUE", settings), "BATCH_JOB_QUEUE");
  EXPECT_EQ(slip_in("BATCH", settings), "");
  EXPECT_EQ(slip_in("PAGER", settings), "");
}

}  // namespace
}  // namespace metaflow::cli
