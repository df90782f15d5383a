#include "client/task_log.hpp"

#include <gtest/gtest.h>

namespace metaflow::client {
namespace {

TEST(TaskLog, ShowsMessagesWithoutTheirHeads) {
  EXPECT_EQ(log_text({"[MFLOG|0|2026-11-23T14:10:41.790713Z|runtime|1]out line\n"
                      "[MFLOG|0|2026-11-23T14:10:41.790714Z|runtime|2]  indented [brackets]\n"}),
            "out line\n  indented [brackets]\n");
}

TEST(TaskLog, MergesTheFilesOfOneStreamByTime) {
  EXPECT_EQ(log_text({"[MFLOG|0|2026-11-23T14:10:41.1Z|runtime|1]a\n[MFLOG|0|2026-11-23T14:10:41.3Z|runtime|2]c\n",
                      "[MFLOG|0|2026-11-23T14:10:41.2Z|task|1]b\n"}),
            "a\nb\nc\n");
}

TEST(TaskLog, LinesOfOneMomentFollowTheirIds) {
  EXPECT_EQ(log_text({"[MFLOG|0|2026-11-23T14:10:41.1Z|runtime|02]b\n[MFLOG|0|2026-11-23T14:10:41.1Z|runtime|01]a\n"}),
            "a\nb\n");
}

TEST(TaskLog, LinesWithoutAHeadComeLastAsTheyAre) {
  EXPECT_EQ(log_text({"torn\n[MFLOG|0|2026-11-23T14:10:41.1Z|runtime\n[MFLOG|0|2026-11-23T14:10:41.1Z|runtime|1]a\n"}),
            "a\n[MFLOG|0|2026-11-23T14:10:41.1Z|runtime\ntorn\n");
}

TEST(TaskLog, AHeadWithAPartMissingIsNone) {
  EXPECT_EQ(
      log_text({"[MFLOG|0|2026-11-23T14:10:41.1Z]a\n", "[MFLOG|0|2026-11-23T14:10:41.1Z|runtime]b\n", "[MFLOG|0|]c\n"}),
      "[MFLOG|0|2026-11-23T14:10:41.1Z]a\n[MFLOG|0|2026-11-23T14:10:41.1Z|runtime]b\n[MFLOG|0|]c\n");
}

TEST(TaskLog, ALineMarkedForKeepingLosesTheMark) {
  EXPECT_EQ(log_text({"[![MFLOG|0|2026-11-23T14:10:41.1Z|task|1]kept\n"}), "kept\n");
}

TEST(TaskLog, NothingStoredIsNoText) { EXPECT_EQ(log_text({"", ""}), ""); }

}  // namespace
}  // namespace metaflow::client
