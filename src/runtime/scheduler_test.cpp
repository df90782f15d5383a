#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/eventfd.h>

#include <metaflow/error.hpp>

#include "base/files.hpp"
#include "base/random.hpp"
#include "runtime/input_paths.hpp"
#include "runtime/run.hpp"

namespace metaflow::runtime {
namespace {

using model::Transition;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class HandWoundClock final : public Clock {
 public:
  std::int64_t now_microseconds() override { return time_ - set_back_; }
  std::int64_t steady_microseconds() override { return time_; }
  void wind(std::int64_t microseconds) { time_ += microseconds; }
  void set_back(std::int64_t microseconds) { set_back_ += microseconds; }

 private:
  std::int64_t time_ = 1'795'443'040'000'000, set_back_ = 0;
};

/// Runs nothing: a script says how each attempt ends. Attempts without an end hang until they are killed; whenever only
/// such are left, a second passes.
class ScriptedLauncher final : public Launcher {
 public:
  using Script = std::function<std::optional<Finished>(const TaskRequest&)>;
  ScriptedLauncher(Script script, HandWoundClock& clock)
      : script_(std::move(script)), clock_(clock), ready_(::eventfd(1, EFD_CLOEXEC)) {}

  void launch(AttemptHandle attempt, const TaskRequest& request) override {
    if (running_.size() >= capacity) throw Error(ErrorCode::exhausted, "no descriptor is left");
    if (running_.size() >= processes) {
      events_.push_back(Refused{attempt, "No process is left."});
      return;
    }
    running_.emplace(attempt, request);
    most_at_once = std::max(most_at_once, running_.size());
    requests.push_back(request);
    events_.push_back(Started{attempt, "pid 600"});
    if (auto end = script_(request)) {
      end->attempt = attempt;
      const bool waits = request.is_control() && end->outcome && end->outcome->succeeded;
      (waits ? waiting_ : ends_).push_back(*end);
    }
  }
  void let_finish(AttemptHandle attempt) override {
    for (const auto& end : std::exchange(waiting_, {})) (end.attempt == attempt ? ends_ : waiting_).push_back(end);
  }
  void signal(AttemptHandle attempt, int signal_number) override {
    if (!running_.contains(attempt)) return;
    signals.push_back(signal_number);
    if (deaf) return;
    std::erase_if(waiting_, [&](const Finished& end) { return end.attempt == attempt; });
    ends_.push_back({attempt, {0, signal_number}, std::nullopt});
  }
  int descriptor() const override { return ready_.get(); }
  std::vector<LauncherEvent> take_events() override {
    auto events = std::exchange(events_, {});
    if (!ends_.empty()) {
      running_.erase(ends_.front().attempt);
      events.push_back(ends_.front());
      ends_.erase(ends_.begin());
    } else if (events.empty()) {
      clock_.wind(1'000'000);
    }
    return events;
  }

  std::size_t capacity = 1000;   ///< launches throw beyond it
  std::size_t processes = 1000;  ///< launches are refused beyond it, which is heard of later
  std::size_t most_at_once = 0;
  std::vector<TaskRequest> requests;
  std::vector<int> signals;
  bool deaf = false;  ///< no process ends when it is told to

 private:
  Script script_;
  HandWoundClock& clock_;
  FileDescriptor ready_;
  std::map<AttemptHandle, TaskRequest> running_;
  std::vector<LauncherEvent> events_;
  std::vector<Finished> ends_;
  std::vector<Finished> waiting_;  // of control tasks: to be told first
};

Finished went_to(std::vector<std::string> next, std::vector<std::string> values = {}) {
  return {0, {}, TaskOutcome{.succeeded = true, .next = std::move(next), .foreach_values = std::move(values)}};
}
Finished failed(int code = 1) { return {0, {.code = code}, std::nullopt}; }
std::optional<Finished> hangs() { return std::nullopt; }

model::Step step(std::string name, Transition transition, std::vector<std::string> next,
                 model::Takes takes = model::Takes::nothing) {
  model::Step step;
  step.name = std::move(name);
  step.transition = transition;
  step.next = std::move(next);
  step.takes = takes;
  return step;
}
model::Step join(std::string name, std::string next) {
  return step(std::move(name), Transition::linear, {std::move(next)}, model::Takes::branches);
}

class SchedulerTest : public testing::Test {
 protected:
  ~SchedulerTest() override { std::filesystem::remove_all(folder_); }

  /// By default each step goes where its transition leads; foreaches have two items, gangs three nodes.
  int run(std::vector<model::Step> steps, std::map<std::string, ScriptedLauncher::Script> script = {},
          const RunOptions& options = {}) {
    program_.flow.name = "Flow";
    program_.flow.steps = std::move(steps);
    launcher_.emplace(
        [this, script](const TaskRequest& request) -> std::optional<Finished> {
          if (const auto found = script.find(request.step); found != script.end()) return found->second(request);
          const auto& steps_of_flow = program_.flow.steps;
          const auto which = std::find_if(steps_of_flow.begin(), steps_of_flow.end(),
                                          [&](const auto& candidate) { return candidate.name == request.step; });
          const bool splits = which->transition == Transition::foreach;
          auto end = went_to(which->next, splits ? std::vector<std::string>{"x", "y"} : std::vector<std::string>());
          end.outcome->num_parallel = which->transition == Transition::parallel ? 3 : 0;
          return end;
        },
        clock_);
    launcher_->capacity = capacity_;
    launcher_->processes = processes_;
    launcher_->deaf = deaf_;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = run_flow(program_, options, {}, {*objects_, *metadata_}, *launcher_, clock_);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return code;
  }

  /// `step/task` of every launch, in order.
  std::vector<std::string> launched() const {
    std::vector<std::string> list;
    for (const auto& request : launcher_->requests) list.push_back(request.step + '/' + request.task);
    return list;
  }
  /// Its inputs as `step/task`.
  std::vector<std::string> inputs_of(const std::string& launch) const {
    std::vector<std::string> list;
    for (const auto& request : launcher_->requests)
      if (request.step + '/' + request.task == launch)
        for (const auto& path : decode_input_paths(request.input_paths))
          list.push_back(path.substr(path.find('/') + 1));
    return list;
  }

  std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("scheduler_test_" + random_name(8));
  std::unique_ptr<storage::ObjectStore> objects_ = storage::make_memory_store();
  std::unique_ptr<metadata::Metadata> metadata_ = metadata::open_local_metadata((folder_ / ".metaflow").string());
  HandWoundClock clock_;
  FlowProgram program_;
  std::optional<ScriptedLauncher> launcher_;
  std::size_t capacity_ = 1000, processes_ = 1000;
  bool deaf_ = false;
  std::string out_, err_;
};

std::vector<model::Step> two_branches() {
  return {step("start", Transition::split, {"a", "b"}), step("a", Transition::linear, {"join"}),
          step("b", Transition::linear, {"join"}), join("join", "end"), step("end", Transition::none, {})};
}

TEST_F(SchedulerTest, TasksGetTheirIdsInTheOrderOfLaunch) {
  EXPECT_EQ(run(two_branches()), 0);
  EXPECT_THAT(launched(), ElementsAre("start/1", "a/2", "b/3", "join/4", "end/5"));
  EXPECT_THAT(inputs_of("start/1"), ElementsAre("_parameters/0"));
}

TEST_F(SchedulerTest, AStaticJoinGetsItsInputsInTheOrderDeclaredWhoeverFinishesFirst) {
  int rounds = 0;
  // a fails twice, so that b ends before it.
  auto steps = two_branches();
  steps[1].decorators = {{"retry", {{"times", "2"}}}};
  EXPECT_EQ(run(steps, {{"a", [&](const TaskRequest&) { return ++rounds < 3 ? failed() : went_to({"join"}); }}}), 0);
  EXPECT_THAT(inputs_of("join/4"), ElementsAre("a/2", "b/3"));
}

TEST_F(SchedulerTest, NestedForeachesJoinFromTheInside) {
  EXPECT_EQ(run({step("start", Transition::foreach, {"mid"}), step("mid", Transition::foreach, {"leaf"}),
                 step("leaf", Transition::linear, {"inner"}), join("inner", "outer"), join("outer", "end"),
                 step("end", Transition::none, {})}),
            0);
  EXPECT_THAT(launched(), ElementsAre("start/1", "mid/2", "mid/3", "leaf/4", "leaf/5", "leaf/6", "leaf/7", "inner/8",
                                      "inner/9", "outer/10", "end/11"));
  EXPECT_THAT(inputs_of("inner/9"), ElementsAre("leaf/6", "leaf/7"));
  EXPECT_THAT(inputs_of("outer/10"), ElementsAre("inner/8", "inner/9"));
}

TEST_F(SchedulerTest, ForeachChildrenAreToldTheirIndexAndItem) {
  EXPECT_EQ(run({step("start", Transition::foreach, {"body"}), step("body", Transition::linear, {"after"}),
                 step("after", Transition::linear, {"join"}), join("join", "end"), step("end", Transition::none, {})}),
            0);
  EXPECT_EQ(launcher_->requests[2].split_index, 1);
  EXPECT_EQ(launcher_->requests[2].split_value, "y");
  EXPECT_EQ(launcher_->requests[2].split_count, 2);
  EXPECT_EQ(launcher_->requests[3].step, "after");
  EXPECT_EQ(launcher_->requests[3].split_index, std::nullopt) << "the step after the children enters no foreach";
}

TEST_F(SchedulerTest, OnlyTheChosenBranchOfASwitchRunsAndItsBranchStillJoinsOnce) {
  EXPECT_EQ(run({step("start", Transition::split, {"a", "b"}), step("a", Transition::switch_on, {"fast", "slow"}),
                 step("fast", Transition::linear, {"join"}), step("slow", Transition::linear, {"join"}),
                 step("b", Transition::linear, {"join"}), join("join", "end"), step("end", Transition::none, {})},
                {{"a", [](const TaskRequest&) { return went_to({"slow"}); }}}),
            0);
  EXPECT_THAT(launched(), ElementsAre("start/1", "a/2", "b/3", "slow/4", "join/5", "end/6"));
  EXPECT_THAT(inputs_of("join/5"), ElementsAre("slow/4", "b/3"));
}

TEST_F(SchedulerTest, ASwitchThatChoosesItselfRunsAgain) {
  int rounds = 0;
  EXPECT_EQ(run({step("start", Transition::linear, {"loop"}), step("loop", Transition::switch_on, {"loop", "end"}),
                 step("end", Transition::none, {})},
                {{"loop", [&](const TaskRequest&) { return went_to({++rounds < 3 ? "loop" : "end"}); }}}),
            0);
  EXPECT_THAT(launched(), ElementsAre("start/1", "loop/2", "loop/3", "loop/4", "end/5"));
  EXPECT_THAT(inputs_of("loop/4"), ElementsAre("loop/3"));
}

TEST_F(SchedulerTest, NeverMoreTasksRunThanThereAreWorkers) {
  const std::vector<std::string> items(50, "x");
  EXPECT_EQ(run({step("start", Transition::foreach, {"body"}), step("body", Transition::linear, {"join"}),
                 join("join", "end"), step("end", Transition::none, {})},
                {{"start", [&](const TaskRequest&) { return went_to({"body"}, items); }}}, {.max_workers = 4}),
            0);
  EXPECT_EQ(launcher_->most_at_once, 4u);
  EXPECT_EQ(launcher_->requests.size(), 53u);
}

TEST_F(SchedulerTest, ALauncherWithoutRoomIsAskedAgainWhenATaskHasEnded) {
  capacity_ = 1;
  EXPECT_EQ(run(two_branches()), 0);
  EXPECT_THAT(launched(), ElementsAre("start/1", "a/2", "b/3", "join/4", "end/5"));
}

TEST_F(SchedulerTest, ATaskForWhichThereIsNoProcessIsStartedWhenAnotherHasEnded) {
  processes_ = 1;
  EXPECT_EQ(run(two_branches()), 0) << err_;
  EXPECT_THAT(launched(), ElementsAre("start/1", "a/2", "b/3", "join/4", "end/5"));
  EXPECT_THAT(out_, Not(HasSubstr("failed")));
}

TEST_F(SchedulerTest, ATaskThatWaitsForRoomHasNotFailedWhenAnotherFailsTheRun) {
  processes_ = 1;
  EXPECT_EQ(run(two_branches(), {{"a", [](const TaskRequest&) { return failed(3); }}}), 1);
  EXPECT_THAT(err_, HasSubstr("1 task failed:\n"));
  EXPECT_THAT(launched(), ElementsAre("start/1", "a/2"));
}

TEST_F(SchedulerTest, CreationTimesGrowFromTaskToTask) {
  EXPECT_EQ(run(two_branches()), 0);
  for (std::size_t i = 1; i < launcher_->requests.size(); ++i)
    EXPECT_LT(launcher_->requests[i - 1].created_ms, launcher_->requests[i].created_ms);
}

TEST_F(SchedulerTest, AFailedTaskFailsTheRun) {
  EXPECT_EQ(run({step("start", Transition::linear, {"end"}), step("end", Transition::none, {})},
                {{"start", [](const TaskRequest&) { return failed(); }}}),
            1);
  EXPECT_THAT(launched(), ElementsAre("start/1"));
  EXPECT_THAT(out_, HasSubstr("/start/1 (pid 600)] Task failed.\n"));
  EXPECT_THAT(out_, HasSubstr(" Workflow failed.\n"));
  EXPECT_THAT(out_, HasSubstr(" Terminating 0 active tasks...\n"));
  EXPECT_THAT(out_, HasSubstr(" Flushing logs...\n"));
  EXPECT_THAT(out_, Not(HasSubstr("Done!")));
  EXPECT_THAT(err_, StartsWith("    Step failure:\n    Step start (task-id 1) failed.\n\n"));
}

TEST_F(SchedulerTest, AHangingSiblingOfAFailedTaskIsKilledAfterFiveSeconds) {
  EXPECT_EQ(run(two_branches(), {{"a", [](const TaskRequest&) { return failed(); }},
                                 {"b", [](const TaskRequest&) { return hangs(); }}}),
            1);
  EXPECT_THAT(launcher_->signals, ElementsAre(SIGKILL));
  EXPECT_THAT(out_, HasSubstr(" Terminating 1 active tasks...\n"));
  EXPECT_THAT(out_, HasSubstr("/b/3 (pid 600)] [KILLED BY ORCHESTRATOR]\n"));
  EXPECT_THAT(out_, HasSubstr(" Killing 1 remaining tasks after having waited for 5 seconds -- some tasks may not "
                              "exit cleanly\n"));
  EXPECT_THAT(out_, HasSubstr(" This failed task will not be retried.\n"));
}

TEST_F(SchedulerTest, ASiblingThatEndsInTimeIsSuccessfulButNothingFollowsIt) {
  EXPECT_EQ(run({step("start", Transition::split, {"a", "b"}), step("a", Transition::linear, {"join"}),
                 step("b", Transition::linear, {"after"}), step("after", Transition::linear, {"join"}),
                 join("join", "end"), step("end", Transition::none, {})},
                {{"a", [](const TaskRequest&) { return failed(); }}}),
            1);
  EXPECT_THAT(out_, HasSubstr("/b/3 (pid 600)] Task finished successfully.\n"));
  EXPECT_THAT(launched(), ElementsAre("start/1", "a/2", "b/3"));
}

TEST_F(SchedulerTest, RetriesKeepTheTaskAndCountTheAttempt) {
  auto steps = std::vector{step("start", Transition::linear, {"end"}), step("end", Transition::none, {})};
  steps[0].decorators = {{"retry", {{"times", "2"}}}};
  EXPECT_EQ(
      run(steps,
          {{"start", [](const TaskRequest& request) { return request.attempt < 2 ? failed() : went_to({"end"}); }}}),
      0);
  EXPECT_THAT(launched(), ElementsAre("start/1", "start/1", "start/1", "end/2"));
  EXPECT_EQ(launcher_->requests[2].attempt, 2);
  EXPECT_THAT(out_, HasSubstr("Task is starting (retry).\n"));
}

TEST_F(SchedulerTest, ExitCode202IsNeverRetried) {
  auto steps = std::vector{step("start", Transition::linear, {"end"}), step("end", Transition::none, {})};
  steps[0].decorators = {{"retry", {{"times", "2"}}}};
  EXPECT_EQ(run(steps, {{"start", [](const TaskRequest&) { return failed(202); }}}), 1);
  EXPECT_THAT(launched(), ElementsAre("start/1"));
  EXPECT_THAT(out_, HasSubstr("This failed task will not be retried.\n"));
}

std::vector<model::Step> one_step_with(std::vector<model::Decorator> decorators) {
  auto start = step("start", Transition::linear, {"end"});
  start.decorators = std::move(decorators);
  return {start, step("end", Transition::none, {})};
}
Finished stored_failure(const TaskRequest& request) {
  return {0, {.code = 1}, TaskOutcome{.succeeded = false, .failure = request.failure}};
}

TEST_F(SchedulerTest, ATaskThatNobodyMakesRoomForFailsAndSaysWhy) {
  for (auto* limit : {&processes_, &capacity_}) {
    *limit = 0;
    EXPECT_EQ(run(one_step_with({{"retry", {{"times", "1"}}}})), 1);
    EXPECT_THAT(err_, HasSubstr(limit == &processes_ ? "/start/1: No process is left.\n"
                                                     : "/start/1: no descriptor is left\n"));
    EXPECT_THAT(out_, HasSubstr("/start/1] Task failed.\n"));
    *limit = 1000;
  }
}

TEST_F(SchedulerTest, ATaskOverItsLimitIsKilledAndItsFailureStoredByAnotherProcess) {
  EXPECT_EQ(
      run(one_step_with({{"timeout", {{"seconds", "3"}}}}),
          {{"start", [](const TaskRequest& request) { return request.failure ? stored_failure(request) : hangs(); }}}),
      1);
  EXPECT_THAT(launcher_->signals, ElementsAre(SIGKILL));
  ASSERT_THAT(launched(), ElementsAre("start/1", "start/1"));
  EXPECT_EQ(launcher_->requests[1].attempt, 0);
  EXPECT_EQ(launcher_->requests[1].failure.value().type, "metaflow.plugins.timeout_decorator.TimeoutException");
  EXPECT_EQ(out_.find("Task is starting."), out_.rfind("Task is starting.")) << out_;
  EXPECT_THAT(err_, HasSubstr("/start/1: metaflow.plugins.timeout_decorator.TimeoutException: Step start timed out "
                              "after 3 s.\n"));
}

TEST_F(SchedulerTest, ABodyThatMeetsItsLimitItselfHasSomeSecondsMore) {
  const RunOptions options{.timeout_grace = std::chrono::seconds(5)};
  const auto hangs_once = [](const TaskRequest& request) {
    return request.failure ? std::optional(stored_failure(request)) : hangs();
  };
  const auto began = clock_.steady_microseconds();
  EXPECT_EQ(run(one_step_with({{"timeout", {{"seconds", "3"}}}}), {{"start", hangs_once}}, options), 1);
  EXPECT_THAT(launcher_->signals, ElementsAre(SIGKILL));
  EXPECT_GE(clock_.steady_microseconds() - began, 8'000'000);
}

TEST_F(SchedulerTest, ATaskThatEndsWithinItsLimitIsLeftAlone) {
  const auto takes_two_seconds = [this](const TaskRequest&) {
    clock_.wind(2'000'000);
    return went_to({"end"});
  };
  EXPECT_EQ(run(one_step_with({{"timeout", {{"seconds", "3"}}}}), {{"start", takes_two_seconds}}), 0);
  EXPECT_THAT(launcher_->signals, ElementsAre());
}

TEST_F(SchedulerTest, ATimedOutAttemptIsRetriedAndMayBeCaughtWhenStored) {
  EXPECT_EQ(run(one_step_with({{"timeout", {{"seconds", "3"}}}, {"retry", {{"times", "1"}}}, {"catch", {}}}),
                {{"start",
                  [](const TaskRequest& request) -> std::optional<Finished> {
                    if (!request.failure) return hangs();
                    return request.attempt == 0 ? stored_failure(request) : went_to({"end"});
                  }}}),
            0);
  std::vector<std::pair<int, bool>> attempts;
  for (const auto& request : launcher_->requests)
    if (request.step == "start") attempts.emplace_back(request.attempt, request.failure.has_value());
  EXPECT_THAT(attempts, ElementsAre(std::pair(0, false), std::pair(0, true), std::pair(1, false), std::pair(1, true)));
}

TEST_F(SchedulerTest, AProcessThatNothingEndsIsGivenUp) {
  deaf_ = true;
  EXPECT_EQ(
      run(one_step_with({{"timeout", {{"seconds", "3"}}}}),
          {{"start", [](const TaskRequest& request) { return request.failure ? stored_failure(request) : hangs(); }}}),
      1);
  EXPECT_THAT(out_, HasSubstr("The process of this task was killed but does not end; it is left to itself.\n"));
  EXPECT_THAT(err_, HasSubstr("timed out after 3 s."));
}

TEST_F(SchedulerTest, ARunThatStopsWaitsForNoProcessThatNothingEnds) {
  deaf_ = true;
  EXPECT_EQ(run(two_branches(), {{"a", [](const TaskRequest&) { return failed(); }},
                                 {"b", [](const TaskRequest&) { return hangs(); }}}),
            1);
  EXPECT_THAT(out_, HasSubstr("/b/3 (pid 600)] The process of this task was killed but does not end"));
}

TEST_F(SchedulerTest, AfterTheLastAttemptOfACaughtStepFallbacksHandleItsDeath) {
  EXPECT_EQ(
      run(one_step_with({{"retry", {{"times", "1"}}}, {"catch", {}}}),
          {{"start", [](const TaskRequest& request) { return request.is_fallback() ? went_to({"end"}) : failed(3); }}}),
      0);
  EXPECT_THAT(launched(), ElementsAre("start/1", "start/1", "start/1", "end/2"));
  EXPECT_THAT(out_, HasSubstr("Task fallback is starting to handle the failure.\n"));
}

TEST_F(SchedulerTest, FallbacksAreThreeAndAttemptsSixAtMost) {
  const auto always_dies = [](const TaskRequest&) { return failed(3); };
  EXPECT_EQ(run(one_step_with({{"retry", {{"times", "1"}}}, {"catch", {}}}), {{"start", always_dies}}), 1);
  EXPECT_EQ(launched().size(), 5u);
  EXPECT_EQ(run(one_step_with({{"retry", {{"times", "4"}}}, {"catch", {}}}), {{"start", always_dies}}), 1);
  EXPECT_EQ(launched().size(), 6u);
  EXPECT_EQ(launcher_->requests.back().attempt, 5);
}

TEST_F(SchedulerTest, ARetryWaitsOnlyWhenAsked) {
  const auto fails_once = [](const TaskRequest& request) { return request.attempt == 0 ? failed() : went_to({"end"}); };
  const auto steps = one_step_with({{"retry", {{"times", "1"}, {"minutes_between_retries", "2"}}}});
  const auto before = clock_.now_microseconds();
  EXPECT_EQ(run(steps, {{"start", fails_once}}), 0);
  EXPECT_LT(clock_.now_microseconds() - before, 60'000'000);
  EXPECT_EQ(run(steps, {{"start", fails_once}}, {.retry_delay = true}), 0);
  EXPECT_GE(clock_.now_microseconds() - before, 120'000'000);
  EXPECT_THAT(out_, HasSubstr("Task will be retried in 2 min.\n"));
}

std::vector<model::Step> gang_with(std::vector<model::Decorator> decorators = {}) {
  auto train = step("train", Transition::linear, {"join"});
  decorators.push_back({"parallel", {}});
  train.decorators = std::move(decorators);
  return {step("start", Transition::parallel, {"train"}), train, join("join", "end"),
          step("end", Transition::none, {})};
}
std::optional<Finished> one_node(const TaskRequest&) {
  auto end = went_to({"train"});
  end.outcome->num_parallel = 1;
  return end;
}
/// A node that does so, while the others end well.
ScriptedLauncher::Script node(std::int64_t number, std::function<std::optional<Finished>(const TaskRequest&)> end) {
  return [number, end](const TaskRequest& request) {
    return request.split_index == number ? end(request) : went_to({"join"});
  };
}

TEST_F(SchedulerTest, TheNodesOfAGangRunAtTheSameTimeHoweverFewWorkersThereAre) {
  EXPECT_EQ(run(gang_with(), {}, {.max_workers = 1}), 0);
  EXPECT_THAT(launched(), ElementsAre("start/1", "train/2", "train/2_node_1", "train/2_node_2", "join/3", "end/4"));
  EXPECT_EQ(launcher_->most_at_once, 3u);
  EXPECT_THAT(inputs_of("join/3"), ElementsAre("train/2", "train/2_node_1", "train/2_node_2"));
  for (int i = 0; i < 3; ++i) {
    const auto& request = launcher_->requests[static_cast<std::size_t>(i + 1)];
    EXPECT_EQ(request.split_index, i);
    EXPECT_EQ(request.num_parallel, 3);
    EXPECT_THAT(request.input_paths, EndsWith("/start/1"));
  }
}

TEST_F(SchedulerTest, AGangTakesThePlaceOfOneTask) {
  auto steps = gang_with();
  steps[0].name = "mid";
  steps.insert(steps.begin(), step("start", Transition::foreach, {"mid"}));
  steps.insert(steps.end() - 1, join("outer", "end"));
  steps[3].next = {"outer"};
  EXPECT_EQ(run(steps, {}, {.max_workers = 1}), 0);
  EXPECT_EQ(launcher_->most_at_once, 3u);
  EXPECT_EQ(run(steps, {}, {.max_workers = 2}), 0);
  EXPECT_EQ(launcher_->most_at_once, 6u);
}

TEST_F(SchedulerTest, TheControlTaskEndsLast) {
  EXPECT_EQ(run(gang_with(), {{"train", node(0, [](const TaskRequest&) { return went_to({"join"}); })}}), 0);
  EXPECT_LT(out_.find("/train/2_node_2 (pid 600)] Task finished successfully."),
            out_.find("/train/2 (pid 600)] Task finished successfully."));
}

TEST_F(SchedulerTest, AGangOfOneIsItsControlTaskAlone) {
  EXPECT_EQ(run(gang_with(), {{"start", one_node}}), 0);
  EXPECT_THAT(launched(), ElementsAre("start/1", "train/2", "join/3", "end/4"));
}

TEST_F(SchedulerTest, CreationTimesGrowFromNodeToNode) {
  EXPECT_EQ(run(gang_with()), 0);
  for (std::size_t i = 1; i < launcher_->requests.size(); ++i)
    EXPECT_LT(launcher_->requests[i - 1].created_ms, launcher_->requests[i].created_ms);
}

TEST_F(SchedulerTest, AFailedNodeFailsItsGangAndTheOthersAreKilled) {
  const auto script = [](const TaskRequest& request) { return request.split_index == 1 ? failed(3) : hangs(); };
  EXPECT_EQ(run(gang_with(), {{"train", script}}), 1);
  EXPECT_THAT(launcher_->signals, ElementsAre(SIGKILL, SIGKILL));
  EXPECT_THAT(out_, HasSubstr("/train/2_node_2 (pid 600)] Task 2_node_1 of this gang has failed; so this one is "
                              "killed.\n"));
  EXPECT_THAT(err_, HasSubstr("Step train (task-id 2_node_1) failed.\n\n1 task failed:\n"));
  EXPECT_THAT(err_, HasSubstr("/train/2_node_1: The process of this task exited with code 3"));
}

TEST_F(SchedulerTest, AFailedControlTaskFailsItsGang) {
  EXPECT_EQ(run(gang_with(), {{"train", node(0, [](const TaskRequest&) { return failed(); })}}), 1);
  EXPECT_THAT(err_, HasSubstr("Step train (task-id 2) failed."));
  EXPECT_THAT(launched(), ElementsAre("start/1", "train/2", "train/2_node_1", "train/2_node_2"));
}

TEST_F(SchedulerTest, AGangIsRetriedWhole) {
  const auto fails_once = [](const TaskRequest& request) {
    return request.attempt == 0 ? failed() : went_to({"join"});
  };
  EXPECT_EQ(run(gang_with({{"retry", {{"times", "1"}}}}), {{"train", node(2, fails_once)}}), 0);
  EXPECT_THAT(launched(), ElementsAre("start/1", "train/2", "train/2_node_1", "train/2_node_2", "train/2",
                                      "train/2_node_1", "train/2_node_2", "join/3", "end/4"));
  for (std::size_t i = 1; i < 7; ++i) EXPECT_EQ(launcher_->requests[i].attempt, i < 4 ? 0 : 1);
  EXPECT_THAT(inputs_of("join/3"), ElementsAre("train/2", "train/2_node_1", "train/2_node_2"));
}

TEST_F(SchedulerTest, AGangWaitsForItsRetryWhenAsked) {
  const auto fails_once = [](const TaskRequest& request) {
    return request.attempt == 0 ? failed() : went_to({"join"});
  };
  const auto before = clock_.now_microseconds();
  EXPECT_EQ(run(gang_with({{"retry", {{"times", "1"}}}}), {{"train", node(1, fails_once)}}, {.retry_delay = true}), 0);
  EXPECT_GE(clock_.now_microseconds() - before, 120'000'000);
}

TEST_F(SchedulerTest, OneNodeCanForbidTheRetryOfItsGang) {
  const auto script = [](const TaskRequest& request) { return failed(request.split_index == 2 ? 202 : 1); };
  EXPECT_EQ(run(gang_with({{"retry", {{"times", "2"}}}}), {{"train", node(2, script)}}), 1);
  EXPECT_EQ(launched().size(), 4u);
}

TEST_F(SchedulerTest, FallbacksHandleTheDeathOfANodeOfACaughtStepForTheWholeGang) {
  const auto dies = [](const TaskRequest& request) { return request.is_fallback() ? went_to({"join"}) : failed(3); };
  EXPECT_EQ(run(gang_with({{"catch", {}}}), {{"train", node(1, dies)}}), 0);
  EXPECT_EQ(launched().size(), 9u);
  EXPECT_EQ(launcher_->requests[4].attempt, 1);
}

TEST_F(SchedulerTest, ANodeOverItsLimitFailsItsGangUnlessThatIsCaught) {
  const auto hangs_unless_stored = [](bool is_caught) {
    return [is_caught](const TaskRequest& request) -> std::optional<Finished> {
      if (!request.failure) return hangs();
      return is_caught ? went_to({"join"}) : stored_failure(request);
    };
  };
  const std::vector<model::Decorator> limited{{"timeout", {{"seconds", "3"}}}};
  EXPECT_EQ(run(gang_with(limited), {{"train", node(2, hangs_unless_stored(false))}}), 1);
  EXPECT_THAT(err_, HasSubstr("/train/2_node_2: metaflow.plugins.timeout_decorator.TimeoutException"));
  EXPECT_EQ(run(gang_with(limited), {{"train", node(2, hangs_unless_stored(true))}}), 0) << err_;
}

TEST_F(SchedulerTest, TheControlTaskHasNoLimit) {
  const auto takes_long = [this](const TaskRequest&) {
    clock_.wind(10'000'000);
    return went_to({"join"});
  };
  EXPECT_EQ(run(gang_with({{"timeout", {{"seconds", "3"}}}}), {{"train", node(0, takes_long)}}), 0) << err_;
}

TEST_F(SchedulerTest, AGangThatDoesNotFitBesideOthersFails) {
  capacity_ = 2;
  EXPECT_EQ(run(gang_with()), 1);
  EXPECT_THAT(launched(), ElementsAre("start/1", "train/2", "train/2_node_1"));
  EXPECT_THAT(err_, HasSubstr("/train/2_node_2: no descriptor is left"));
}

/// A gang in one of three branches.
std::vector<model::Step> gang_beside_tasks() {
  std::vector<model::Step> steps{step("start", Transition::split, {"mid", "a", "b"})};
  for (auto& each : gang_with())
    if (each.name != "end") steps.push_back(each);
  steps[1].name = "mid";
  steps[3].next = {"outer"};
  for (const auto* name : {"a", "b"}) steps.push_back(step(name, Transition::linear, {"outer"}));
  steps.push_back(join("outer", "end"));
  steps.push_back(step("end", Transition::none, {}));
  return steps;
}

TEST_F(SchedulerTest, AGangThatDoesNotFitBesideOthersIsUndoneAndWaitsForTheirEnd) {
  for (auto* limit : {&processes_, &capacity_}) {
    *limit = 3;
    EXPECT_EQ(run(gang_beside_tasks()), 0) << err_;
    EXPECT_THAT(launched(), ElementsAre("start/1", "mid/2", "a/3", "b/4", "train/5", "train/5", "train/5_node_1",
                                        "train/5_node_2", "join/6", "outer/7", "end/8"));
    for (const auto& request : launcher_->requests) EXPECT_EQ(request.attempt, 0);
    EXPECT_THAT(out_, HasSubstr("/train/5] The gang waits until nothing else runs: "));
    EXPECT_THAT(out_, HasSubstr("Task 5_node_1 of this gang has found no room beside other tasks; so this one is"));
    *limit = 1000;
  }
}

TEST_F(SchedulerTest, GangsThatDoNotFitBesideEachOtherRunOneAfterTheOther) {
  auto steps = gang_with();
  steps[0].name = "mid";
  steps.insert(steps.begin(), step("start", Transition::foreach, {"mid"}));
  steps.insert(steps.end() - 1, join("outer", "end"));
  steps[3].next = {"outer"};
  for (auto* limit : {&processes_, &capacity_}) {
    *limit = 4;
    EXPECT_EQ(run(steps), 0) << err_;
    EXPECT_EQ(launcher_->most_at_once, 4u);
    *limit = 1000;
  }
}

TEST_F(SchedulerTest, AGangForWhichThereAreNeverEnoughProcessesFailsAndSaysWhy) {
  processes_ = 2;
  EXPECT_EQ(run(gang_with({{"retry", {{"times", "1"}}}})), 1);
  EXPECT_THAT(err_, HasSubstr("/train/2_node_2: No process is left.\n"));
  EXPECT_EQ(launcher_->requests.back().attempt, 1);
}

TEST_F(SchedulerTest, ANodeThatFailsFailsItsGangThoughAnotherFoundNoRoom) {
  processes_ = 4;
  const auto fails = [](const TaskRequest& request) { return request.split_index == 0 ? failed(3) : hangs(); };
  const auto long_one = [this](const TaskRequest&) {
    clock_.wind(1'000'000);
    return went_to({"outer"});
  };
  EXPECT_EQ(run(gang_beside_tasks(), {{"train", fails}, {"a", long_one}}), 1);
  EXPECT_THAT(err_, HasSubstr("/train/5: The process of this task exited with code 3"));
}

TEST_F(SchedulerTest, AGangWhoseControlTaskFindsNoRoomWaitsForIt) {
  capacity_ = 2;
  EXPECT_EQ(run(gang_beside_tasks(), {{"mid", one_node}}), 0) << err_;
  EXPECT_THAT(launched(), ElementsAre("start/1", "mid/2", "a/3", "b/4", "train/5", "join/6", "outer/7", "end/8"));
}

TEST_F(SchedulerTest, AFailedRunSaysWhatToTypeNext) {
  const auto fails = [this](const TaskRequest& request) {
    metadata_->add_task(*metadata_->run("Flow", request.run), request.step, request.task, request.created_ms, {});
    return failed(3);
  };
  EXPECT_EQ(run(two_branches(), {{"a", fails}}, {.script = "./films"}), 1);
  const auto id = launcher_->requests.front().run;
  EXPECT_THAT(err_, HasSubstr("1 task failed:\n    " + id +
                              "/a/2: The process of this task exited with code 3 before the step was complete.\n"
                              "        ./films logs " +
                              id + "/a/2\n"));
  EXPECT_THAT(err_, EndsWith("    ./films resume --origin-run-id " + id + "\n"));
}

TEST_F(SchedulerTest, TheLogOfATaskThatIsNotRecordedIsNotPointedAt) {
  EXPECT_EQ(run(two_branches(), {{"a", [](const TaskRequest&) { return failed(3); }}}, {.script = "./films"}), 1);
  EXPECT_THAT(err_, Not(HasSubstr("./films logs")));
  EXPECT_THAT(err_, HasSubstr("        Its log could not be stored; what it printed is above.\n"));
}

TEST_F(SchedulerTest, AListOfManyFailuresIsCut) {
  const std::vector<std::string> items(15, "x");
  EXPECT_EQ(run({step("start", Transition::foreach, {"body"}), step("body", Transition::linear, {"join"}),
                 join("join", "end"), step("end", Transition::none, {})},
                {{"start", [&](const TaskRequest&) { return went_to({"body"}, items); }},
                 {"body", [](const TaskRequest&) { return failed(); }}}),
            1);
  EXPECT_THAT(err_, HasSubstr("15 tasks failed:\n"));
  EXPECT_THAT(err_, HasSubstr("    and 5 more\n"));
}

TEST_F(SchedulerTest, TooManySplitsFailTheRunThoughTheSplitSucceeded) {
  EXPECT_EQ(run({step("start", Transition::foreach, {"body"}), step("body", Transition::linear, {"join"}),
                 join("join", "end"), step("end", Transition::none, {})},
                {{"start",
                  [](const TaskRequest&) {
                    return went_to({"body"}, {"1", "2", "3"});
                  }}},
                {.max_num_splits = 2}),
            1);
  EXPECT_THAT(out_, HasSubstr("Task finished successfully.\n"));
  EXPECT_THAT(err_, HasSubstr("yields 3 child steps, but 2 are allowed. Raise the limit with --max-num-splits."));
  EXPECT_THAT(launched(), ElementsAre("start/1"));
}

TEST_F(SchedulerTest, ATransitionThatWasNotDeclaredFailsTheRun) {
  EXPECT_EQ(run({step("start", Transition::linear, {"end"}), step("end", Transition::none, {})},
                {{"start", [](const TaskRequest&) { return went_to({}); }}}),
            1);
  EXPECT_THAT(err_, HasSubstr("Internal error:\n    Step start went on to [] when it ran, but its declared transition "
                              "leads to [end]."));
}

TEST_F(SchedulerTest, AfterFiveMinutesTheRunSaysWhatItIsDoing) {
  const auto five_minutes_pass = [&](const TaskRequest&) {
    clock_.wind(301'000'000);
    return went_to({"join"});
  };
  EXPECT_EQ(run(two_branches(), {{"b", five_minutes_pass}}), 0);
  EXPECT_THAT(out_, HasSubstr("1 task is running: b (1 running; 0 done).\n"));
  EXPECT_THAT(out_, HasSubstr("No tasks are waiting in the queue.\n"));
  EXPECT_THAT(out_, HasSubstr("2 steps have not started: join, end.\n"));
}

TEST_F(SchedulerTest, TheRunSaysAgainWhatItIsDoingEveryFiveMinutes) {
  const auto five_minutes_pass = [&](const TaskRequest&) {
    clock_.wind(300'000'000);
    return went_to({"join"});
  };
  EXPECT_EQ(run({step("start", Transition::foreach, {"body"}), step("body", Transition::linear, {"join"}),
                 join("join", "end"), step("end", Transition::none, {})},
                {{"start",
                  [](const TaskRequest&) {
                    return went_to({"body"}, {"1", "2", "3", "4"});
                  }},
                 {"body", five_minutes_pass}},
                {.max_workers = 2}),
            0);
  EXPECT_THAT(out_, HasSubstr("1 task is running: body (1 running; 1 done).\n"));
  EXPECT_THAT(out_, HasSubstr("2 tasks are waiting in the queue.\n"));
  EXPECT_THAT(out_, HasSubstr("1 task is running: body (1 running; 2 done).\n"));
  EXPECT_THAT(out_, HasSubstr("1 task is waiting in the queue.\n"));
}

TEST_F(SchedulerTest, ProgressNamesEveryStepThatRuns) {
  const auto time_passes = [&](const TaskRequest&) {
    clock_.wind(100'000'000);
    return went_to({"join"});
  };
  EXPECT_EQ(run({step("start", Transition::split, {"a", "b", "c"}), step("a", Transition::linear, {"join"}),
                 step("b", Transition::linear, {"join"}), step("c", Transition::linear, {"join"}), join("join", "end"),
                 step("end", Transition::none, {})},
                {{"a", time_passes}, {"b", time_passes}, {"c", time_passes}}),
            0);
  EXPECT_THAT(out_, HasSubstr("2 tasks are running: b (1 running; 0 done), c (1 running; 0 done).\n"));
}

TEST_F(SchedulerTest, BeforeFiveMinutesNothingIsSaid) {
  const auto time_passes = [&](const TaskRequest&) {
    clock_.wind(299'000'000);
    return went_to({"join"});
  };
  EXPECT_EQ(run(two_branches(), {{"b", time_passes}}), 0);
  EXPECT_THAT(out_, Not(HasSubstr("in the queue")));
}

}  // namespace
}  // namespace metaflow::runtime
