#include "runtime/gang.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace metaflow::runtime {
namespace {

using testing::ElementsAre;
using testing::Pair;

TaskRequest asked(const std::string& task, std::int64_t node, std::int64_t nodes) {
  TaskRequest request;
  request.task = task;
  request.split_index = node;
  request.num_parallel = nodes;
  return request;
}

/// Three nodes of control task 2, whose attempts are 10, 11 and 12.
class GangTest : public testing::Test {
 protected:
  GangTest() : gang_(planned(), control()) {
    for (std::size_t node = 0; node < 3; ++node) gang_.started(node, 10 + node);
  }

  static TaskRequest control() {
    TaskRequest request;
    request.step = "train";
    request.task = "2";
    request.attempt = 1;
    request.created_ms = 100;
    return request;
  }
  static PlannedTask planned() {
    PlannedTask task;
    task.enters = Enters::gang;
    task.branching = std::make_shared<Branching>();
    task.branching->ends.resize(3);
    return task;
  }

  Gang gang_;
};

TEST(GangIds, FollowTheControlTask) {
  EXPECT_EQ(node_task_id("2", 0), "2");
  EXPECT_EQ(node_task_id("2", 11), "2_node_11");
}

TEST(GangIds, TellWhereANodeStands) {
  EXPECT_EQ(place_in_gang(asked("2", 0, 3)), (Parallel{"127.0.0.1", 3, 0, "2"}));
  EXPECT_EQ(place_in_gang(asked("2_node_1", 1, 3)), (Parallel{"127.0.0.1", 3, 1, "2"}));
  EXPECT_EQ(place_in_gang(TaskRequest{}), std::nullopt);
}

TEST(GangIds, AreHandedDownAsEnvironmentVariables) {
  EXPECT_THAT(gang_environment({"127.0.0.1", 3, 1, "2"}),
              ElementsAre(Pair("MF_PARALLEL_MAIN_IP", "127.0.0.1"), Pair("MF_PARALLEL_NUM_NODES", "3"),
                          Pair("MF_PARALLEL_NODE_INDEX", "1"), Pair("MF_PARALLEL_CONTROL_TASK_ID", "2")));
}

TEST_F(GangTest, EachNodeIsAskedTheSameUnderAnIdOfItsOwn) {
  const auto request = gang_.request(2);
  EXPECT_EQ(request.task, "2_node_2");
  EXPECT_EQ(request.step, "train");
  EXPECT_EQ(request.attempt, 1);
  EXPECT_EQ(request.split_index, 2);
  EXPECT_EQ(request.num_parallel, 3);
  EXPECT_EQ(request.created_ms, 102);
  EXPECT_EQ(gang_.planned(2).branch, 2u);
}

TEST_F(GangTest, TheControlTaskIsTheLastOneOnceAllOthersEndedWell) {
  gang_.succeeded(2, {});
  EXPECT_EQ(gang_.last_one(), std::nullopt);
  gang_.succeeded(1, {});
  EXPECT_EQ(gang_.last_one(), 10u);
  EXPECT_FALSE(gang_.is_over());
  gang_.succeeded(0, {});
  EXPECT_TRUE(gang_.is_over());
}

TEST_F(GangTest, AFailureLeavesNobodyToWaitFor) {
  gang_.failed(1, {.task = "2_node_1", .why = "no disk"});
  gang_.failed(2, {.task = "2_node_2", .why = "killed", .was_killed = true});
  EXPECT_EQ(gang_.last_one(), std::nullopt);
  EXPECT_THAT(gang_.running(), ElementsAre(10u));
  EXPECT_EQ(gang_.failure()->why, "no disk");
}

TEST_F(GangTest, AFailureOfItsOwnCountsMoreThanALackOfRoom) {
  gang_.failed(1, {.task = "2_node_1", .why = "no room", .lacks_room = true});
  gang_.failed(2, {.task = "2_node_2", .why = "killed", .was_killed = true});
  EXPECT_EQ(gang_.failure()->why, "no room");
  gang_.failed(0, {.task = "2", .why = "no disk"});
  EXPECT_EQ(gang_.failure()->why, "no disk");
}

TEST_F(GangTest, TheWishOfAnyNodeForNoFurtherAttemptCounts) {
  gang_.failed(1, {.task = "2_node_1", .why = "no disk"});
  gang_.failed(2, {.task = "2_node_2", .why = "never again", .may_retry = false});
  EXPECT_FALSE(gang_.failure()->may_retry);
}

TEST_F(GangTest, ANodeThatStartsAgainIsOneNode) {
  gang_.started(1, 20);
  EXPECT_THAT(gang_.running(), ElementsAre(10u, 20u, 12u));
  for (std::size_t node = 0; node < 3; ++node) gang_.succeeded(node, {});
  EXPECT_TRUE(gang_.is_over());
}

}  // namespace
}  // namespace metaflow::runtime
