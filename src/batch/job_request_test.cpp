#include "batch/job_request.hpp"

#include <gmock/gmock.h>

#include <metaflow/error.hpp>

namespace metaflow::batch {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

const Defaults defaults{.queue = "jobs", .image = "films:1", .iam_role = "arn:aws:iam::1:role/task"};
const TaskName task{"ada", "Films", "12", "stats", "3", 1, "2.19.38+cpp.0.1.0"};

model::BatchSettings settings_of(model::BatchSettings settings = {}, const Defaults& with = defaults) {
  return completed(std::move(settings), with, "stats");
}

template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(JobRequest, WhatTheStepLeavesOpenTheConfigurationSays) {
  const auto settings = settings_of({.queue = "own"});
  EXPECT_EQ(settings.queue, "own");
  EXPECT_EQ(settings.image, "films:1");
}
TEST(JobRequest, WhatNobodySaysIsNamed) {
  EXPECT_EQ(refusal([] { settings_of({}, {.queue = "jobs", .image = "x"}); }),
            "Step 'stats' runs on AWS Batch, but no IAM role is set: give @batch the attribute iam_role, or set "
            "METAFLOW_ECS_S3_ACCESS_IAM_ROLE ('metaflow configure aws' asks for it).");
}
TEST(JobRequest, AnImageWithoutRegistryGetsTheOneThatIsConfigured) {
  auto with = defaults;
  with.registry = "registry.example/team/";
  EXPECT_EQ(settings_of({.image = "ada/films"}, with).image, "registry.example/team/ada/films");
  EXPECT_EQ(settings_of({.image = "localhost/films"}, with).image, "localhost/films");
  EXPECT_EQ(settings_of({.image = "ghcr.io/ada/films"}, with).image, "ghcr.io/ada/films");
}
TEST(JobRequest, ADefinitionIsNamedByWhatItSays) {
  const auto definition = job_definition(settings_of(), Platform::ec2);
  EXPECT_THAT(definition["jobDefinitionName"].get<std::string>(), MatchesRegex("metaflow_[0-9a-f]{40}"));
  EXPECT_EQ(definition["containerProperties"]["image"], "films:1");
  EXPECT_EQ(definition["containerProperties"]["command"], JsonValue::array({"echo", "hello world"}));
  EXPECT_EQ(definition["containerProperties"]["linuxParameters"], JsonValue::object());
  EXPECT_EQ(definition, job_definition(settings_of({.cpu = 8}), Platform::ec2));
  EXPECT_NE(definition, job_definition(settings_of({.image = "films:2"}), Platform::ec2));
}
TEST(JobRequest, FargateHasARoleOfItsOwnAndAnAddress) {
  const auto definition =
      job_definition(settings_of({.execution_role = "arn:e", .ephemeral_storage_gib = 30}), Platform::fargate);
  const auto& container = definition["containerProperties"];
  EXPECT_EQ(definition["platformCapabilities"], JsonValue::array({"FARGATE"}));
  EXPECT_EQ(container["executionRoleArn"], "arn:e");
  EXPECT_EQ(container["networkConfiguration"]["assignPublicIp"], "ENABLED");
  EXPECT_EQ(container["ephemeralStorage"]["sizeInGiB"], 30);
  EXPECT_FALSE(container.contains("linuxParameters"));
}
TEST(JobRequest, WhatThePlatformCannotDoIsRefused) {
  const auto made = [](model::BatchSettings settings, Platform platform) {
    return refusal([&] { job_definition(settings_of(std::move(settings)), platform); });
  };
  EXPECT_THAT(made({}, Platform::fargate), HasSubstr("METAFLOW_ECS_FARGATE_EXECUTION_ROLE"));
  EXPECT_THAT(made({.execution_role = "e", .use_tmpfs = true}, Platform::fargate), HasSubstr("no tmpfs"));
  EXPECT_THAT(made({.execution_role = "e", .efa = 1}, Platform::fargate), HasSubstr("no devices"));
  EXPECT_THAT(made({.ephemeral_storage_gib = 30}, Platform::ec2), HasSubstr("Only Fargate takes ephemeral_storage"));
}
TEST(JobRequest, MemoryFilesDevicesAndVolumesAreOfTheMachine) {
  const auto definition = job_definition(settings_of({.memory_mb = 1000,
                                                      .shared_memory_mb = 64,
                                                      .inferentia = 1,
                                                      .host_volumes = {"/data", "/a.b:/c"},
                                                      .efs_volumes = {"fs-1", "fs-2:/x"},
                                                      .use_tmpfs = true}),
                                         Platform::ec2);
  const auto& container = definition["containerProperties"];
  EXPECT_EQ(container["linuxParameters"], parse_json(R"({"sharedMemorySize": 64,
      "devices": [{"hostPath": "/dev/neuron0", "containerPath": "/dev/neuron0", "permissions": ["READ", "WRITE"]}],
      "tmpfs": [{"containerPath": "/metaflow_temp", "size": 500, "mountOptions": ["defaults"]}]})",
                                                     "here"));
  EXPECT_EQ(container["mountPoints"], parse_json(R"([{"sourceVolume": "_data", "containerPath": "/data"},
      {"sourceVolume": "_a_b", "containerPath": "/c"}, {"sourceVolume": "efs_fs-1", "containerPath": "/mnt/fs-1"},
      {"sourceVolume": "efs_fs-2", "containerPath": "/x"}])",
                                                 "here"));
  EXPECT_EQ(container["volumes"][0], parse_json(R"({"name": "_data", "host": {"sourcePath": "/data"}})", "here"));
}
TEST(JobRequest, AJobIsCalledAsItsTask) {
  EXPECT_EQ(job_name(task), "ada-Films-12-stats-3-1");
  EXPECT_EQ(job_name({"ada.l@x y", "Films", "12", "stats", "3", 0}), "ada_l_x_y-Films-12-stats-3-0");
  EXPECT_EQ(job_name({"_ada", "Films", "12", "stats", "3", 0}), "u_ada-Films-12-stats-3-0");
}
TEST(JobRequest, LongNamesStayDifferent) {
  const auto one = job_name({"ada", std::string(200, 'F'), "12", "stats", "3", 0});
  const auto other = job_name({"ada", std::string(200, 'F'), "12", "stats", "4", 0});
  EXPECT_EQ(one.size(), 128u);
  EXPECT_NE(one, other);
}
TEST(JobRequest, AJobBringsItsCommandAndResources) {
  const auto request =
      submission(task, settings_of({.cpu = 0.5, .gpu = 1, .memory_mb = 512}),
                 {.script = "echo $1", .environment = {{"A", "1"}}, .arguments = {"x"}}, "arn:d", defaults);
  EXPECT_EQ(request["jobQueue"], "jobs");
  EXPECT_EQ(request["jobDefinition"], "arn:d");
  EXPECT_EQ(request["containerOverrides"], parse_json(R"({"command": ["sh", "-c", "echo $1", "sh", "x"],
      "environment": [{"name": "A", "value": "1"}],
      "resourceRequirements": [{"type": "VCPU", "value": "0.5"}, {"type": "MEMORY", "value": "512"},
                               {"type": "GPU", "value": "1"}]})",
                                                      "here"));
  EXPECT_EQ(request["parameters"]["metaflow.retry_count"], "1");
  EXPECT_EQ(request["timeout"]["attemptDurationSeconds"], 432'000);
  EXPECT_FALSE(request.contains("tags"));
}
TEST(JobRequest, ALimitIsRoundedUp) {
  const auto request =
      submission(task, settings_of(), {.script = "x", .timeout = std::chrono::milliseconds(60'001)}, "arn:d", defaults);
  EXPECT_EQ(request["timeout"]["attemptDurationSeconds"], 61);
}
TEST(JobRequest, TagsOfTheStepWinOverThoseConfigured) {
  auto with = defaults;
  with.emits_tags = true;
  with.tags = {{"team", "films"}, {"cost", "1"}};
  const auto tags = submission(task, settings_of({.tags = {{"team", "own"}}}), {.script = "x"}, "arn:d", with)["tags"];
  EXPECT_EQ(tags["team"], "own");
  EXPECT_EQ(tags["cost"], "1");
  EXPECT_EQ(tags["metaflow.run_id"], "12");
}
TEST(JobRequest, WhatIsTooLongForBatchIsRefusedBeforeItIsSubmitted) {
  const auto sentence = refusal([] {
    submission(task, settings_of(), {.script = "x", .environment = {{"LONG", std::string(8'000, 'x')}}}, "arn:d",
               defaults);
  });
  EXPECT_THAT(sentence, HasSubstr("have 8005 characters, and AWS Batch takes 7500. The longest are LONG (8004)"));
}

}  // namespace
}  // namespace metaflow::batch
