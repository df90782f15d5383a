#include "compute/batch_launcher.hpp"

#include <condition_variable>
#include <csignal>
#include <mutex>

#include <gmock/gmock.h>
#include <poll.h>

#include <metaflow/error.hpp>

#include "base/pipes.hpp"

namespace metaflow::compute {
namespace {

using runtime::Finished;
using runtime::LauncherEvent;
using runtime::Output;
using runtime::OutputStream;
using testing::ElementsAre;
using testing::HasSubstr;

/// A Batch whose jobs go through the statuses of a script, one at each question.
class ScriptedBatch final : public batch::Service {
 public:
  struct Script {
    std::vector<batch::Job> answers = {{.status = "SUCCEEDED"}};
    std::optional<Error> submit_error = {};
    std::vector<std::string> terminated = {};
    std::vector<JsonValue> submitted = {}, registered = {};
    std::string environment_type = "EC2";
    std::mutex mutex = {};
    std::condition_variable changed = {};
  };
  explicit ScriptedBatch(Script& script) : script_(script) {}

  std::optional<std::string> find_definition(const std::string&) override { return std::nullopt; }
  std::string register_definition(const JsonValue& request) override {
    const std::scoped_lock lock(script_.mutex);
    script_.registered.push_back(request);
    return "arn:definition";
  }
  std::string submit(const JsonValue& request) override {
    const std::scoped_lock lock(script_.mutex);
    if (script_.submit_error) throw Error(*script_.submit_error);
    script_.submitted.push_back(request);
    script_.changed.notify_all();
    return "job" + std::to_string(script_.submitted.size());
  }
  std::vector<batch::Job> describe(std::span<const std::string> ids) override {
    const std::scoped_lock lock(script_.mutex);
    auto answer = script_.answers.front();
    if (script_.answers.size() > 1) script_.answers.erase(script_.answers.begin());
    std::vector<batch::Job> jobs;
    for (const auto& id : ids) {
      jobs.push_back(answer);
      jobs.back().id = id;
    }
    return jobs;
  }
  void terminate(const std::string& id, const std::string&) override {
    const std::scoped_lock lock(script_.mutex);
    script_.terminated.push_back(id);
  }
  std::vector<batch::JobQueue> queues(std::span<const std::string> names) override {
    const std::string name = names.empty() ? "other" : names.front();
    if (name == "missing") return {};
    return {{.name = name, .arn = "arn:" + name, .state = "ENABLED", .status = "VALID", .compute_environments = {"c"}}};
  }
  std::vector<batch::ComputeEnvironment> compute_environments(std::span<const std::string>) override {
    return {{.name = "c", .arn = "arn:c", .state = "ENABLED", .status = "VALID", .type = script_.environment_type}};
  }

 private:
  Script& script_;
};

class BatchLauncherTest : public testing::Test {
 protected:
  BatchLauncherTest() {
    flow_.name = "Films";
    flow_.steps.resize(2);
    flow_.steps[0].name = "start";
    flow_.steps[1].name = "work";
    flow_.steps[1].decorators = {{"batch", {{"memory", "512"}}}};
  }

  runtime::Launcher& launcher() {
    if (!launcher_)
      launcher_ = make_batch_launcher(
          flow_, {"ada", "1"}, defaults_,
          {.open_service = [this] { return std::make_unique<ScriptedBatch>(script_); },
           .prepare = [](const auto&) { return batch::Work{.script = "true"}; },
           .outcome = [this](const auto&) { return outcome(); },
           .read_log = [this](const auto&,
                              OutputStream stream) { return stream == OutputStream::out ? log_ : std::string(); }},
          system_clock());
    return *launcher_;
  }
  static runtime::TaskRequest request(const std::string& step = "work") {
    return {.step = step, .run = "12", .task = "3"};
  }

  /// What the attempt says until it has finished: its output with `!` in front of what is stored already, and its end.
  std::vector<std::string> told(runtime::AttemptHandle handle = 1) {
    constexpr int deadline_ms = 30'000;
    std::vector<std::string> lines;
    while (true) {
      pollfd watched{launcher().descriptor(), POLLIN, 0};
      if (::poll(&watched, 1, deadline_ms) <= 0) return {"nothing came"};
      for (const auto& event : launcher().take_events()) {
        if (const auto* output = std::get_if<Output>(&event))
          lines.push_back((output->is_stored ? "!" : "") + output->bytes.substr(0, output->bytes.size() - 1));
        if (const auto* finished = std::get_if<Finished>(&event); finished && finished->attempt == handle) {
          finished_ = *finished;
          return lines;
        }
      }
    }
  }

  std::optional<runtime::TaskOutcome> outcome() const {
    if (outcome_error_) throw Error(*outcome_error_);
    return outcome_;
  }
  /// The first line with `words` in it.
  std::string told_until(const std::string& words) {
    constexpr int deadline_ms = 30'000;
    pollfd watched{launcher().descriptor(), POLLIN, 0};
    while (::poll(&watched, 1, deadline_ms) > 0)
      for (const auto& event : launcher().take_events())
        if (const auto* output = std::get_if<Output>(&event); output && output->bytes.find(words) != std::string::npos)
          return output->bytes;
    return "nothing came";
  }

  void await_submitted(std::size_t count) {
    std::unique_lock lock(script_.mutex);
    script_.changed.wait(lock, [&] { return script_.submitted.size() >= count; });
  }

  model::Flow flow_;
  batch::Defaults defaults_{.queue = "jobs", .image = "films:1", .iam_role = "arn:role"};
  ScriptedBatch::Script script_;
  std::optional<runtime::TaskOutcome> outcome_ = runtime::TaskOutcome{.succeeded = true, .next = {"end"}};
  std::optional<Error> outcome_error_;
  std::string log_;
  Finished finished_;
  std::unique_ptr<runtime::Launcher> launcher_;
};

TEST_F(BatchLauncherTest, ATaskIsAJobAndItsOutcomeIsRead) {
  launcher().launch(1, request());
  EXPECT_THAT(told(),
              ElementsAre("[job1] Task is starting (status SUBMITTED)...", "[job1] Task finished with exit code 0."));
  EXPECT_THAT(finished_.outcome.value().next, ElementsAre("end"));
  EXPECT_TRUE(finished_.status.succeeded());
  EXPECT_EQ(script_.submitted.at(0)["jobName"], "ada-Films-12-work-3-0");
  EXPECT_EQ(script_.submitted[0]["jobDefinition"], "arn:definition");
}
TEST_F(BatchLauncherTest, ChangesAreTold) {
  script_.answers = {{.status = "RUNNABLE"}, {.status = "SUCCEEDED"}};
  launcher().launch(1, request());
  EXPECT_THAT(told(), ElementsAre(HasSubstr("SUBMITTED"), "[job1] Task is starting (status RUNNABLE)...",
                                  "[job1] Task finished with exit code 0."));
}
TEST_F(BatchLauncherTest, WholeLinesOfTheTaskComeOnceWithTheJobInFront) {
  log_ = "[MFLOG|0|2026-11-23T14:10:41.790713Z|task|1]one\n[MFLOG|0|2026-11-23T14:10:41.790714Z|task|2]tw";
  script_.answers = {{.status = "RUNNING"}, {.status = "SUCCEEDED"}};
  launcher().launch(1, request());
  EXPECT_THAT(told(), ElementsAre(HasSubstr("SUBMITTED"), "![MFLOG|0|2026-11-23T14:10:41.790713Z|task|1][job1] one",
                                  "[job1] Task finished with exit code 0."));
}
TEST_F(BatchLauncherTest, AContainerThatDiesIsExplained) {
  outcome_.reset();
  script_.answers = {{.status = "FAILED", .attempts = {{.exit_code = 137, .reason = "OutOfMemoryError: x"}}}};
  launcher().launch(1, request());
  EXPECT_THAT(told().back(), HasSubstr("[job1] The task ran out of memory (limit 512 MB)."));
  EXPECT_EQ(finished_.status.code, 202);
  EXPECT_THAT(finished_.outcome.value().failure.value().message, HasSubstr("ran out of memory"));
}
TEST_F(BatchLauncherTest, ATaskThatStoredItsOutcomeIsDoneHoweverItsJobEnded) {
  script_.answers = {{.status = "FAILED", .exit_code = 1}};
  launcher().launch(1, request());
  told();
  EXPECT_TRUE(finished_.outcome.value().succeeded);
}
TEST_F(BatchLauncherTest, AJobThatEndsWellWithoutOutcomeHasFailed) {
  outcome_.reset();
  launcher().launch(1, request());
  EXPECT_THAT(told().back(), HasSubstr("has not stored that it is done"));
}
TEST_F(BatchLauncherTest, AnOutcomeThatCannotBeReadFailsTheTaskUnlessItMayBeReadLater) {
  outcome_error_ = Error(ErrorCode::corrupt, "the table is damaged");
  launcher().launch(1, request());
  EXPECT_THAT(told().back(), HasSubstr("What the task has left cannot be read: the table is damaged"));
  outcome_error_ = Error(ErrorCode::unavailable, "S3 is away");
  launcher().launch(2, request());
  EXPECT_THAT(told_until("tried again"), HasSubstr("S3 is away"));
}
TEST_F(BatchLauncherTest, WhatIsRefusedIsNotTriedAgain) {
  script_.submit_error = Error(ErrorCode::denied, "no right");
  launcher().launch(1, request());
  EXPECT_THAT(told(), ElementsAre("no right"));
  EXPECT_EQ(finished_.status.code, 202);
}
TEST_F(BatchLauncherTest, AQueueThatIsNotThereIsNamed) {
  defaults_.queue = "missing";
  launcher().launch(1, request());
  EXPECT_THAT(told(), ElementsAre(HasSubstr("AWS Batch has no job queue 'missing' in this region")));
}
TEST_F(BatchLauncherTest, WithoutAQueueAnyThatTakesJobsWillDo) {
  defaults_.queue.clear();
  launcher().launch(1, request());
  told();
  EXPECT_EQ(script_.submitted.at(0)["jobQueue"], "arn:other");
}
TEST_F(BatchLauncherTest, CtrlCEndsAllJobs) {
  script_.answers = {{.status = "RUNNING"}};
  launcher().launch(1, request());
  launcher().launch(2, request());
  await_submitted(2);
  launcher().interrupt();
  EXPECT_THAT(told(), testing::Contains("[job1] Job terminated."));
  launcher_.reset();
  EXPECT_THAT(script_.terminated, ElementsAre("job1", "job2"));
}
TEST_F(BatchLauncherTest, AKilledAttemptIsTerminated) {
  script_.answers = {{.status = "RUNNING"}};
  launcher().launch(1, request());
  launcher().signal(1, SIGKILL);
  told();
  EXPECT_EQ(finished_.status.signal, SIGKILL);
  EXPECT_THAT(script_.terminated, ElementsAre("job1"));
}
TEST_F(BatchLauncherTest, JobsEndWithTheLauncher) {
  script_.answers = {{.status = "RUNNING"}};
  launcher().launch(1, request());
  await_submitted(1);
  launcher_.reset();
  EXPECT_THAT(script_.terminated, ElementsAre("job1"));
}

/// Remembers what it was asked to start.
class NamingLauncher final : public runtime::Launcher {
 public:
  explicit NamingLauncher(std::vector<std::string>& calls, std::string name) : calls_(calls), name_(std::move(name)) {}
  void launch(runtime::AttemptHandle attempt, const runtime::TaskRequest&) override { note("launch", attempt); }
  void signal(runtime::AttemptHandle attempt, int) override { note("signal", attempt); }
  void let_finish(runtime::AttemptHandle attempt) override { note("let_finish", attempt); }
  int descriptor() const override { return ready_.get(); }
  std::vector<LauncherEvent> take_events() override { return {}; }

 private:
  void note(const char* what, runtime::AttemptHandle attempt) {
    calls_.push_back(name_ + " " + what + " " + std::to_string(attempt));
  }
  std::vector<std::string>& calls_;
  std::string name_;
  FileDescriptor ready_{make_pipe().reading};
};

TEST_F(BatchLauncherTest, StepsWithoutBatchAndFallbacksStayHere) {
  std::vector<std::string> calls;
  const auto routing = make_routing_launcher(std::make_unique<NamingLauncher>(calls, "local"),
                                             std::make_unique<NamingLauncher>(calls, "remote"), runs_on_batch(flow_));
  routing->launch(1, request("start"));
  routing->launch(2, request());
  auto fallback = request();
  fallback.attempt = 1;
  routing->launch(3, fallback);
  routing->signal(2, SIGKILL);
  EXPECT_THAT(calls, ElementsAre("local launch 1", "remote launch 2", "local launch 3", "remote signal 2"));
}

}  // namespace
}  // namespace metaflow::compute
