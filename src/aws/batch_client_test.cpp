#include "aws/batch_client.hpp"

#include <mutex>

#include <gmock/gmock.h>

#include <metaflow/error.hpp>

#include "network/test_server.hpp"

namespace metaflow::aws {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Reply = network::TestServer::Reply;

std::string answer(int status, const std::string& body, const std::string& headers = "") {
  return "HTTP/1.1 " + std::to_string(status) + " Said\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         headers + "\r\n" + body;
}

/// Keys that one refusal replaces once.
class TwoKeys final : public Credentials {
 public:
  SigningKeys keys() override { return replaced_ ? SigningKeys{"SECOND", "b"} : SigningKeys{"FIRST", "a"}; }
  bool replace(const SigningKeys& refused) override {
    if (refused.key_id == "FIRST") replaced_ = true;
    return refused.key_id == "FIRST";
  }

 private:
  bool replaced_ = false;
};

class BatchClientTest : public testing::Test {
 protected:
  /// The server gives these answers, the last one again and again.
  BatchClient client(std::vector<Reply> answers) {
    answers_ = std::move(answers);
    return BatchClient(http_, keys_, system_clock(), server_.url(""), "eu-west-1",
                       {.shortest = std::chrono::milliseconds(1),
                        .longest = std::chrono::milliseconds(5),
                        .budget = std::chrono::milliseconds(100)});
  }
  Reply reply(const std::string& request) {
    const std::scoped_lock lock(mutex_);
    seen_.push_back(request);
    auto next = answers_.front();
    if (answers_.size() > 1) answers_.erase(answers_.begin());
    return next;
  }
  template <class Call>
  std::string refusal(ErrorCode code, Call call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      return error.what();
    }
    return "no refusal";
  }

  std::mutex mutex_;
  std::vector<Reply> answers_;
  std::vector<std::string> seen_;
  TwoKeys keys_;
  network::HttpClient http_;
  network::TestServer server_{[this](const std::string& request) { return reply(request); }};
};

TEST_F(BatchClientTest, SignsWhatItPosts) {
  EXPECT_EQ(client({{answer(200, R"({"jobDefinitions": []})")}}).find_definition("x"), std::nullopt);
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_THAT(seen_[0], testing::StartsWith("POST /v1/describejobdefinitions HTTP/1.1\r\n"));
  EXPECT_THAT(seen_[0], HasSubstr("Credential=FIRST/"));
  EXPECT_THAT(seen_[0], HasSubstr("/eu-west-1/batch/aws4_request"));
  EXPECT_THAT(seen_[0], testing::EndsWith(R"({"jobDefinitionName": "x", "status": "ACTIVE"})"));
}
TEST_F(BatchClientTest, ReadsWhatBatchSaysOfAJob) {
  const auto jobs = client({{answer(200, R"({"jobs": [{"jobId": "j", "jobName": "n", "status": "FAILED",
      "statusReason": "Essential container in task exited", "isTerminated": true,
      "container": {"exitCode": 3, "logStreamName": "s"},
      "attempts": [{"statusReason": "r", "container": {"exitCode": 137, "reason": "OutOfMemoryError: x"}}]}]})")}})
                        .describe(std::vector<std::string>{"j"});
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].id, "j");
  EXPECT_TRUE(jobs[0].has_ended() && jobs[0].is_terminated && !jobs[0].is_cancelled);
  EXPECT_EQ(jobs[0].exit_code, 3);
  EXPECT_EQ(jobs[0].attempts.at(0).exit_code, 137);
  EXPECT_EQ(jobs[0].attempts[0].reason, "OutOfMemoryError: x");
}
TEST_F(BatchClientTest, AsksForAHundredJobsInACall) {
  std::vector<std::string> ids;
  for (int i = 0; i < 250; ++i) ids.push_back("job" + std::to_string(i));
  EXPECT_THAT(client({{answer(200, R"({"jobs": []})")}}).describe(ids), testing::IsEmpty());
  EXPECT_EQ(seen_.size(), 3u);
}
TEST_F(BatchClientTest, TriesEnvironmentsInTheirOrder) {
  const auto queues = client({{answer(200, R"({"jobQueues": [{"jobQueueName": "q", "computeEnvironmentOrder":
      [{"order": 2, "computeEnvironment": "b"}, {"order": 1, "computeEnvironment": "a"}]}]})")}})
                          .queues({});
  EXPECT_THAT(queues.at(0).compute_environments, ElementsAre("a", "b"));
  EXPECT_THAT(seen_[0], testing::EndsWith("\r\n\r\n{}"));
}
TEST_F(BatchClientTest, ReadsAllPages) {
  const auto queues = client({{answer(200, R"({"jobQueues": [{"jobQueueName": "a"}], "nextToken": "more"})")},
                              {answer(200, R"({"jobQueues": [{"jobQueueName": "b"}]})")}})
                          .queues({});
  EXPECT_EQ(queues.size(), 2u);
  EXPECT_THAT(seen_.at(1), HasSubstr(R"("nextToken": "more")"));
}
TEST_F(BatchClientTest, TriesAgainWhenThereAreTooManyCalls) {
  auto batch =
      client({{answer(429, R"({"message": "Too Many Requests"})", "x-amzn-errortype: TooManyRequestsException\r\n")},
              {answer(200, R"({"jobId": "j"})")}});
  EXPECT_EQ(batch.submit({{"jobName", "n"}, {"jobQueue", "q"}}), "j");
  EXPECT_EQ(seen_.size(), 2u);
}
TEST_F(BatchClientTest, FindsAJobWhoseAnswerWasLostInsteadOfSubmittingItAgain) {
  auto batch = client({{"", Reply::After::reset}, {answer(200, R"({"jobSummaryList": [{"jobId": "j"}]})")}});
  EXPECT_EQ(batch.submit({{"jobName", "n"}, {"jobQueue", "q"}}), "j");
  ASSERT_EQ(seen_.size(), 2u);
  EXPECT_THAT(seen_[1], testing::StartsWith("POST /v1/listjobs "));
  EXPECT_THAT(seen_[1], testing::EndsWith(R"({"filters": [{"name": "JOB_NAME", "values": ["n"]}], "jobQueue": "q"})"));
}
TEST_F(BatchClientTest, SubmitsAgainWhenThereIsNoSuchJob) {
  auto batch =
      client({{answer(500, "{}")}, {answer(200, R"({"jobSummaryList": []})")}, {answer(200, R"({"jobId": "j"})")}});
  EXPECT_EQ(batch.submit({{"jobName", "n"}, {"jobQueue", "q"}}), "j");
  EXPECT_EQ(seen_.size(), 3u);
}
TEST_F(BatchClientTest, GoesOnWithOtherKeysWhenThoseAreExpired) {
  auto batch = client(
      {{answer(403, R"({"message": "expired"})", "x-amzn-errortype: ExpiredTokenException\r\n")}, {answer(200, "{}")}});
  batch.terminate("j", "because");
  EXPECT_THAT(seen_.at(1), HasSubstr("Credential=SECOND/"));
}
TEST_F(BatchClientTest, AnAnswerMayBeEmpty) { EXPECT_NO_THROW(client({{answer(200, "")}}).terminate("j", "because")); }
TEST_F(BatchClientTest, SaysWhichRightIsMissing) {
  auto batch = client(
      {{answer(403, R"({"message": "User: x is not authorized"})", "x-amzn-errortype: AccessDeniedException\r\n")}});
  EXPECT_EQ(refusal(ErrorCode::denied, [&] { batch.terminate("j", "because"); }),
            "AWS Batch does not let these keys call TerminateJob: AccessDeniedException (403): User: x is not "
            "authorized. Whoever owns them needs the right batch:TerminateJob.");
}
TEST_F(BatchClientTest, SaysWhatWasRefused) {
  auto batch =
      client({{answer(400, R"({"message": "Job queue q does not exist"})", "x-amzn-errortype: ClientException\r\n")}});
  EXPECT_EQ(refusal(ErrorCode::invalid,
                    [&] {
                      batch.submit({{"jobName", "n"}, {"jobQueue", "q"}});
                    }),
            "AWS Batch refused SubmitJob: ClientException (400): Job queue q does not exist");
}
TEST_F(BatchClientTest, SaysThatNobodyIsThere) {
  BatchClient batch(http_, keys_, system_clock(), "http://127.0.0.1:1", "eu-west-1",
                    {.budget = std::chrono::milliseconds(1)});
  EXPECT_THAT(refusal(ErrorCode::unavailable, [&] { batch.queues({}); }),
              testing::StartsWith("AWS Batch at http://127.0.0.1:1 does not answer to DescribeJobQueues: "));
}

}  // namespace
}  // namespace metaflow::aws
