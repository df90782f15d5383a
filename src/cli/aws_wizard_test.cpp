#include "cli/aws_wizard.hpp"

#include <deque>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>

namespace metaflow::cli {
namespace {

using testing::HasSubstr;
using testing::Not;
using Answers = std::deque<std::string>;

/// Answers from a list; keeps what was said and asked.
class ScriptedDialogue : public Dialogue {
 public:
  explicit ScriptedDialogue(Answers answers, bool is_patient = true)
      : answers_(std::move(answers)), is_patient_(is_patient) {}

  void say(std::string_view lines) override { said += std::string(lines) + '\n'; }
  std::string ask(const std::string& prompt) override {
    said += prompt + '\n';
    if (answers_.empty()) throw Error(ErrorCode::cancelled, "no more answers");
    auto answer = answers_.front();
    answers_.pop_front();
    return answer;
  }
  bool can_ask_again() const override { return is_patient_; }
  bool all_used() const { return answers_.empty(); }

  std::string said;

 private:
  Answers answers_;
  bool is_patient_;
};

/// An account in which one can write to `mine` alone.
class SmallAccount : public Account {
 public:
  Answer<Caller> caller() override { return Caller{"123456789012", "arn:aws:iam::123456789012:user/ann"}; }
  Answer<std::vector<std::string>> buckets() override { return std::vector<std::string>{"mine", "theirs"}; }
  Answer<std::optional<std::string>> obstacle_to_writing(const std::string& url) override {
    if (url.starts_with("s3://mine")) return std::optional<std::string>();
    return std::optional<std::string>("You may not write there.");
  }
  Answer<std::vector<JobQueue>> queues() override {
    return std::vector<JobQueue>{
        {"machines", "arn:aws:batch:eu-west-1:123456789012:job-queue/machines", "ENABLED, VALID", true, QueueKind::ec2},
        {"far", "arn:aws:batch:eu-west-1:123456789012:job-queue/far", "ENABLED, VALID", true, QueueKind::fargate},
        {"off", "arn:aws:batch:eu-west-1:123456789012:job-queue/off", "DISABLED, VALID", false, QueueKind::ec2}};
  }
  Answer<std::vector<Role>> container_roles() override {
    return std::vector<Role>{{"jobs", "arn:aws:iam::123456789012:role/team/jobs"}};
  }
};

/// One that answers nothing.
class SilentAccount : public Account {
 public:
  Answer<Caller> caller() override { return CannotBeAsked{"Who you are cannot be asked."}; }
  Answer<std::vector<std::string>> buckets() override { return CannotBeAsked{"Buckets cannot be listed."}; }
  Answer<std::optional<std::string>> obstacle_to_writing(const std::string&) override {
    return CannotBeAsked{"Writing cannot be tried."};
  }
  Answer<std::vector<JobQueue>> queues() override { return CannotBeAsked{"Queues cannot be listed."}; }
  Answer<std::vector<Role>> container_roles() override { return CannotBeAsked{"Roles cannot be listed."}; }
};

const std::string role_arn = "arn:aws:iam::123456789012:role/jobs";
const std::string queue_arn = "arn:aws:batch:eu-west-1:123456789012:job-queue/jobs";

std::string error_of(const AwsSetup& setup, Dialogue& dialogue, ErrorCode code) {
  try {
    (void)choose_aws_settings(setup, "FILE", dialogue);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "no error";
}

TEST(AwsWizard, ANewUserNamesABucketAndIsDone) {
  ScriptedDialogue dialogue({"s3://bucket/runs/", "n", ""});
  const auto settings = choose_aws_settings({}, "FILE", dialogue);
  EXPECT_EQ(settings,
            (Settings{{"METAFLOW_DATASTORE_SYSROOT_S3", "s3://bucket/runs"}, {"METAFLOW_DEFAULT_DATASTORE", "s3"}}));
  EXPECT_TRUE(dialogue.all_used());
  EXPECT_THAT(dialogue.said, HasSubstr("answers are checked for their form, and not verified"));
  EXPECT_THAT(dialogue.said, HasSubstr("This is what FILE will say:"));
}

TEST(AwsWizard, BatchNeedsAQueueAndARoleAndMayHaveMore) {
  ScriptedDialogue dialogue({"s3://bucket", "y", "jobs", role_arn, "", "python:3.11", "y"});
  const auto settings = choose_aws_settings({}, "FILE", dialogue);
  EXPECT_EQ(settings.at("METAFLOW_BATCH_JOB_QUEUE"), "jobs");
  EXPECT_EQ(settings.at("METAFLOW_ECS_S3_ACCESS_IAM_ROLE"), role_arn);
  EXPECT_EQ(settings.at("METAFLOW_BATCH_CONTAINER_IMAGE"), "python:3.11");
  EXPECT_FALSE(settings.contains("METAFLOW_ECS_FARGATE_EXECUTION_ROLE"));
  EXPECT_TRUE(dialogue.all_used());
}

TEST(AwsWizard, WhatIsStoredIsOfferedAndWhatIsNotAskedIsKept) {
  const Settings stored = {{"METAFLOW_DATASTORE_SYSROOT_S3", "s3://bucket"},
                           {"METAFLOW_DEFAULT_DATASTORE", "s3"},
                           {"METAFLOW_BATCH_JOB_QUEUE", "jobs"},
                           {"METAFLOW_ECS_S3_ACCESS_IAM_ROLE", role_arn},
                           {"METAFLOW_ECS_FARGATE_EXECUTION_ROLE", role_arn},
                           {"METAFLOW_S3_ENDPOINT_URL", "http://here"},
                           {"HAND_MADE", 7}};
  ScriptedDialogue dialogue({"", "", "", "", "", "", ""});
  EXPECT_EQ(choose_aws_settings({.stored = stored}, "FILE", dialogue), stored);
  EXPECT_THAT(dialogue.said, HasSubstr("METAFLOW_DATASTORE_SYSROOT_S3 [s3://bucket]: "));
}

TEST(AwsWizard, WithoutBatchItsStoredSettingsStay) {
  const Settings stored = {{"METAFLOW_DATASTORE_SYSROOT_S3", "s3://bucket"}, {"METAFLOW_BATCH_JOB_QUEUE", "jobs"}};
  ScriptedDialogue dialogue({"", "n", ""});
  EXPECT_EQ(choose_aws_settings({.stored = stored}, "FILE", dialogue).at("METAFLOW_BATCH_JOB_QUEUE"), "jobs");
}

TEST(AwsWizard, ADashRemovesWhatIsNotNeeded) {
  const Settings stored = {{"METAFLOW_DATASTORE_SYSROOT_S3", "s3://bucket"},
                           {"METAFLOW_BATCH_JOB_QUEUE", queue_arn},
                           {"METAFLOW_ECS_S3_ACCESS_IAM_ROLE", role_arn},
                           {"METAFLOW_BATCH_CONTAINER_IMAGE", "python"}};
  ScriptedDialogue dialogue({"", "", "", "", "-", "-", ""});
  const auto settings = choose_aws_settings({.stored = stored}, "FILE", dialogue);
  EXPECT_FALSE(settings.contains("METAFLOW_BATCH_CONTAINER_IMAGE"));
  EXPECT_THAT(dialogue.said, HasSubstr("METAFLOW_BATCH_CONTAINER_IMAGE   (removed)"));
}

TEST(AwsWizard, RootsBelowTheDatastoreGoWithIt) {
  const Settings stored = {{"METAFLOW_DATASTORE_SYSROOT_S3", "s3://old/a"},
                           {"METAFLOW_DATATOOLS_S3ROOT", "s3://old/a/data"},
                           {"METAFLOW_CARD_S3ROOT", "s3://elsewhere/cards"}};
  ScriptedDialogue dialogue({"s3://new", "n", ""});
  const auto settings = choose_aws_settings({.stored = stored}, "FILE", dialogue);
  EXPECT_EQ(settings.at("METAFLOW_DATATOOLS_S3ROOT"), "s3://new/data");
  EXPECT_EQ(settings.at("METAFLOW_CARD_S3ROOT"), "s3://elsewhere/cards");
}

TEST(AwsWizard, AWrongAnswerIsAskedAgain) {
  ScriptedDialogue dialogue({"bucket", "", "s3://bucket", "perhaps", "n", ""});
  (void)choose_aws_settings({}, "FILE", dialogue);
  EXPECT_THAT(dialogue.said, HasSubstr("'bucket' should begin with s3://"));
  EXPECT_THAT(dialogue.said, HasSubstr("It is needed"));
  EXPECT_THAT(dialogue.said, HasSubstr("'perhaps' is neither y nor n."));
}

TEST(AwsWizard, AWrongPipedAnswerIsTheEnd) {
  ScriptedDialogue dialogue({"bucket", "s3://bucket"}, false);
  EXPECT_THAT(error_of({}, dialogue, ErrorCode::invalid), HasSubstr("'bucket' should begin with s3://"));
}

TEST(AwsWizard, WhoDoesNotWantTheResultChangesNothing) {
  ScriptedDialogue dialogue({"s3://bucket", "n", "n"});
  EXPECT_THAT(error_of({}, dialogue, ErrorCode::cancelled), HasSubstr("stays as it was"));
}

TEST(AwsWizard, TheNameOfARoleNeedsAnAccountThatAnArnMayTell) {
  ScriptedDialogue dialogue({"s3://bucket", "y", "jobs", "role", "-", role_arn, "exec", "", ""});
  const auto settings = choose_aws_settings({}, "FILE", dialogue);
  EXPECT_THAT(dialogue.said, HasSubstr("give its ARN: arn:aws:iam::ACCOUNT:role/role"));
  EXPECT_EQ(settings.at("METAFLOW_ECS_FARGATE_EXECUTION_ROLE"), "arn:aws:iam::123456789012:role/exec");

  ScriptedDialogue of_china(
      {"s3://bucket", "y", "arn:aws-cn:batch:cn-north-1:210987654321:job-queue/q", "role", "", "", ""});
  EXPECT_EQ(choose_aws_settings({}, "FILE", of_china).at("METAFLOW_ECS_S3_ACCESS_IAM_ROLE"),
            "arn:aws-cn:iam::210987654321:role/role");
  EXPECT_THAT(of_china.said, HasSubstr("That is arn:aws-cn:iam::210987654321:role/role."));
}

TEST(AwsWizard, AnAccountOffersItsThingsByNumber) {
  SmallAccount account;
  ScriptedDialogue dialogue({"1", "y", "1", "1", "", ""});
  const auto settings = choose_aws_settings({.account = &account}, "FILE", dialogue);
  EXPECT_EQ(settings.at("METAFLOW_DATASTORE_SYSROOT_S3"), "s3://mine/metaflow");
  EXPECT_EQ(settings.at("METAFLOW_BATCH_JOB_QUEUE"), "machines");
  EXPECT_EQ(settings.at("METAFLOW_ECS_S3_ACCESS_IAM_ROLE"), "arn:aws:iam::123456789012:role/team/jobs");
  EXPECT_THAT(dialogue.said, HasSubstr("verified with the keys of arn:aws:iam::123456789012:user/ann"));
  EXPECT_THAT(dialogue.said, HasSubstr("2) far (ENABLED, VALID; Fargate)"));
  EXPECT_THAT(dialogue.said, Not(HasSubstr("METAFLOW_ECS_FARGATE_EXECUTION_ROLE")));  // as the queue is of EC2
}

TEST(AwsWizard, AQueueOfFargateNeedsTheExecutionRole) {
  SmallAccount account;
  ScriptedDialogue dialogue({"1", "y", "far", "jobs", "", "jobs", "", ""});
  const auto settings = choose_aws_settings({.account = &account}, "FILE", dialogue);
  EXPECT_EQ(settings.at("METAFLOW_ECS_FARGATE_EXECUTION_ROLE"), "arn:aws:iam::123456789012:role/team/jobs");
  EXPECT_THAT(dialogue.said, HasSubstr("It is needed"));
}

TEST(AwsWizard, WhatTheAccountDoubtsMayBeUsedAllTheSame) {
  SmallAccount account;
  ScriptedDialogue dialogue(
      {"s3://theirs/x", "n", "s3://theirs/x", "y", "y", "off", "n", "gone", "y", "1", "", "", ""});
  const auto settings = choose_aws_settings({.account = &account}, "FILE", dialogue);
  EXPECT_EQ(settings.at("METAFLOW_DATASTORE_SYSROOT_S3"), "s3://theirs/x");
  EXPECT_EQ(settings.at("METAFLOW_BATCH_JOB_QUEUE"), "gone");
  EXPECT_THAT(dialogue.said, HasSubstr("You may not write there."));
  EXPECT_THAT(dialogue.said, HasSubstr("The queue 'off' takes no jobs now: DISABLED, VALID."));
  EXPECT_THAT(dialogue.said, HasSubstr("There is no queue 'gone' in this account and region."));
}

TEST(AwsWizard, WhatAnAccountCannotBeAskedIsSaid) {
  SilentAccount account;
  ScriptedDialogue dialogue({"s3://bucket", "y", "jobs", role_arn, "", "", ""});
  (void)choose_aws_settings({.account = &account}, "FILE", dialogue);
  for (const auto* sentence : {"Who you are cannot be asked.", "Buckets cannot be listed.", "Writing cannot be tried.",
                               "Queues cannot be listed.", "Roles cannot be listed."})
    EXPECT_THAT(dialogue.said, HasSubstr(sentence));
}

TEST(AwsWizard, UnaskedEverythingIsGivenOrStored) {
  ScriptedDialogue dialogue({});
  const auto given = parse_given_settings({"DATASTORE_SYSROOT_S3=s3://bucket/", "METAFLOW_BATCH_JOB_QUEUE=" + queue_arn,
                                           "ECS_S3_ACCESS_IAM_ROLE=jobs", "S3_RETRY_COUNT=3"});
  const auto settings = choose_aws_settings({.given = given, .questions = Questions::unasked}, "FILE", dialogue);
  EXPECT_EQ(settings, (Settings{{"METAFLOW_BATCH_JOB_QUEUE", queue_arn},
                                {"METAFLOW_DATASTORE_SYSROOT_S3", "s3://bucket"},
                                {"METAFLOW_DEFAULT_DATASTORE", "s3"},
                                {"METAFLOW_ECS_S3_ACCESS_IAM_ROLE", role_arn},
                                {"METAFLOW_S3_RETRY_COUNT", "3"}}));
}

TEST(AwsWizard, UnaskedWhatIsMissingOrWrongIsAnError) {
  ScriptedDialogue dialogue({});
  EXPECT_THAT(error_of({.questions = Questions::unasked}, dialogue, ErrorCode::usage),
              HasSubstr("METAFLOW_DATASTORE_SYSROOT_S3 is needed"));
  EXPECT_THAT(
      error_of({.given = {{"DATASTORE_SYSROOT_S3", "x"}}, .questions = Questions::unasked}, dialogue, ErrorCode::usage),
      HasSubstr("--set DATASTORE_SYSROOT_S3: 'x' should begin with s3://"));
  EXPECT_THAT(error_of({.given = {{"DATASTORE_SYSROOT_S3", "s3://bucket"}, {"BATCH_JOB_QUEUE", "jobs"}},
                        .questions = Questions::unasked},
                       dialogue, ErrorCode::usage),
              HasSubstr("METAFLOW_ECS_S3_ACCESS_IAM_ROLE is needed"));
  SmallAccount account;
  EXPECT_THAT(
      error_of(
          {.given = {{"DATASTORE_SYSROOT_S3", "s3://theirs"}}, .questions = Questions::unasked, .account = &account},
          dialogue, ErrorCode::invalid),
      HasSubstr("You may not write there."));
}

TEST(AwsWizard, AGivenAnswerIsNotAsked) {
  ScriptedDialogue dialogue({"n", ""});
  (void)choose_aws_settings({.given = {{"DATASTORE_SYSROOT_S3", "s3://bucket"}}}, "FILE", dialogue);
  EXPECT_TRUE(dialogue.all_used());
}

TEST(AwsWizard, GivenSettingsAreKnownAndOfTheirKind) {
  const auto refusal = [](const std::string& text) -> std::string {
    try {
      (void)parse_given_settings({text});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(refusal("BATCH_JOB_QEUE=x"), HasSubstr("Did you mean 'BATCH_JOB_QUEUE'?"));
  EXPECT_THAT(refusal("BATCH_JOB_QUEUE"), HasSubstr("takes KEY=VALUE"));
  EXPECT_THAT(refusal("S3_RETRY_COUNT=many"), HasSubstr("should be a whole number"));
  EXPECT_EQ(parse_given_settings({"S3_RETRY_COUNT="}).at("S3_RETRY_COUNT"), "");
}

TEST(AwsWizard, SecretsOfTheFileAreMasked) {
  ScriptedDialogue dialogue({"s3://bucket", "n", ""});
  (void)choose_aws_settings({.stored = {{"METAFLOW_SERVICE_AUTH_KEY", "hush"}}}, "FILE", dialogue);
  EXPECT_THAT(dialogue.said, HasSubstr("METAFLOW_SERVICE_AUTH_KEY=********"));
  EXPECT_THAT(dialogue.said, Not(HasSubstr("hush")));
}

}  // namespace
}  // namespace metaflow::cli
