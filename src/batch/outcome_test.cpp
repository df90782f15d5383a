#include "batch/outcome.hpp"

#include <gmock/gmock.h>

namespace metaflow::batch {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Optional;

Job failed(std::string status_reason, std::optional<int> exit_code = {}, std::string reason = "") {
  return {.id = "j",
          .name = "n",
          .status = "FAILED",
          .status_reason = std::move(status_reason),
          .attempts = {{.exit_code = exit_code, .reason = std::move(reason)}}};
}

Verdict judged(const Job& job) { return judge(job, {.memory_mb = 512, .timeout = seconds(90)}); }

TEST(Outcome, EachSignHasItsCause) {
  const auto causes = [](const char* status_reason, std::optional<int> exit_code, const char* reason) {
    return judged(failed(status_reason, exit_code, reason)).cause;
  };
  const char* essential = "Essential container in task exited";
  EXPECT_EQ(causes(essential, 1, ""), Cause::user_code);
  EXPECT_EQ(causes(essential, 137, "OutOfMemoryError: Container killed due to memory usage"), Cause::out_of_memory);
  EXPECT_EQ(causes(essential, 137, ""), Cause::signal);
  EXPECT_EQ(causes(essential, 139, ""), Cause::signal);
  EXPECT_EQ(causes(essential, 127, ""), Cause::bad_image);
  EXPECT_EQ(causes("Job attempt duration exceeded timeout", 137, ""), Cause::timeout);
  EXPECT_EQ(causes("Host EC2 (instance i-1) terminated.", {}, ""), Cause::machine_lost);
  EXPECT_EQ(causes("Task failed to start", {}, "CannotPullContainerError: no such image"), Cause::bad_image);
  EXPECT_EQ(causes("Task failed to start", {}, "DockerTimeoutError: x"), Cause::start_failed);
  EXPECT_EQ(causes("Metaflow initiated job termination.", 137, ""), Cause::terminated);
  EXPECT_EQ(causes("", {}, ""), Cause::unknown);
}
TEST(Outcome, SentencesSayWhatToChange) {
  EXPECT_EQ(judged(failed("", 137, "OutOfMemoryError: x")).sentence,
            "The task ran out of memory (limit 512 MB). Raise memory= of @batch.");
  EXPECT_EQ(judged(failed("", 139)).sentence, "The container was ended by signal 11 (Segmentation fault).");
  EXPECT_EQ(judged(failed("Essential container in task exited", 3)).sentence, "The task exited with code 3.");
  EXPECT_EQ(judged(failed("odd")).sentence, "The job failed. AWS Batch says: odd");
  EXPECT_THAT(judged(failed("Job attempt duration exceeded timeout")).sentence, HasSubstr("@timeout of 90 s"));
}
TEST(Outcome, TheLastAttemptCounts) {
  auto job = failed("", 1);
  job.attempts.insert(job.attempts.begin(), {.exit_code = 137, .reason = "OutOfMemoryError"});
  EXPECT_EQ(judged(job).cause, Cause::user_code);
}
TEST(Outcome, AnImageIsTriedAgainOnlyWhenItsRegistryMayRecover) {
  EXPECT_EQ(judged(failed("", {}, "CannotPullContainerError: not found")).again, Again::useless);
  EXPECT_EQ(judged(failed("", {}, "CannotPullContainerError: toomanyrequests")).again, Again::useful);
}
TEST(Outcome, AJobThatWaitsIsToldOfAtChangesAndEveryHalfMinute) {
  StartLines lines;
  EXPECT_THAT(lines.next("SUBMITTED", seconds(0)), Optional(std::string("Task is starting (status SUBMITTED)...")));
  EXPECT_EQ(lines.next("SUBMITTED", seconds(29)), std::nullopt);
  EXPECT_THAT(lines.next("RUNNABLE", seconds(29)), Optional(HasSubstr("RUNNABLE")));
  EXPECT_EQ(lines.next("RUNNABLE", seconds(58)), std::nullopt);
  EXPECT_THAT(lines.next("RUNNABLE", seconds(149)),
              Optional(std::string("Task is starting (status RUNNABLE, 2 min)...")));
}
TEST(Outcome, TheExitCodeIsToldThoughBatchLeavesItOut) {
  EXPECT_EQ(finished_line({.id = "j", .name = "n", .status = "SUCCEEDED"}), "Task finished with exit code 0.");
  EXPECT_EQ(finished_line(failed("", 3)), "Task finished with exit code 3.");
}
TEST(Outcome, AJobThatStaysAsItIsIsAskedAboutLessOften) {
  EXPECT_EQ(poll_interval(seconds(29)), seconds(1));
  EXPECT_EQ(poll_interval(seconds(30)), seconds(2));
  EXPECT_EQ(poll_interval(seconds(3'600)), seconds(15));
}

}  // namespace
}  // namespace metaflow::batch
