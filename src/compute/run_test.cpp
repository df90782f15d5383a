#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include "compute/run_fixture.hpp"

namespace metaflow::compute {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(RunTest, ALinearFlowRunsToItsEnd) {
  HandMadeFlow flow("Linear");
  flow.linear("start", "end", [](TaskContext& task) {
    put(task, "x", 41);
    return StepResult();
  });
  flow.end("end", [](TaskContext& task) {
    put(task, "y", get(task.inherited(), "x").as_integer() + 1);
    return StepResult();
  });
  EXPECT_EQ(run(flow), 0) << out_ << err_;
  EXPECT_EQ(artifact("end", "2", "y"), Value(42));
  EXPECT_EQ(artifact("end", "2", "x"), Value(41));
  EXPECT_EQ(artifact("end", "2", "_task_ok"), Value(true));
  EXPECT_THAT(out_, HasSubstr("Workflow starting (run-id " + run_ + "):"));
  EXPECT_THAT(out_, HasSubstr("Task finished successfully."));
  EXPECT_THAT(out_, HasSubstr("Done!\n"));
}

TEST_F(RunTest, AnArtifactCalledNameIsNotReplacedByTheNameOfTheFlow) {
  HandMadeFlow flow("Named");
  flow.linear("start", "end", [](TaskContext& task) {
    put(task, "name", "penguin");
    return StepResult();
  });
  flow.end();
  EXPECT_EQ(run(flow), 0) << out_ << err_;
  EXPECT_EQ(artifact("end", "2", "name"), Value("penguin"));
}

TEST_F(RunTest, TasksOfAForeachShareWhatTheyStartFrom) {
  HandMadeFlow flow("Shared");
  auto& start = flow.step("start", model::Transition::foreach, {"body"}, [](TaskContext& task) {
    put(task, "items", Value::list({"a", "b"}));
    return StepResult{.failure = {}, .foreach_values = {"a", "b"}, .chosen = {}};
  });
  start.foreach_artifact = "items";
  flow.linear("body", "join", [](TaskContext& task) {
    const auto list = task.inherited().find("items");
    put(task, "item", task.inherited().load_item("items", *list, 1).value);
    return StepResult();
  });
  flow.join("join", "end");
  flow.end();
  ASSERT_EQ(run(flow), 0) << out_ << err_;

  runtime::SharedInput shared(flow.program.flow, *objects_);
  runtime::TaskRequest request{.step = "body", .run = run_, .task = "99", .input_paths = run_ + "/start/1"};
  request.split_index = 1;
  request.split_value = "b";
  request.split_count = 2;
  shared.prepare(request);
  objects_->remove("Shared/" + run_ + "/start/1/0.data.json");
  std::filesystem::remove_all(folder_ / ".metaflow/Shared/data");
  EXPECT_TRUE(runtime::execute_task(flow.program, request, stores(), system_clock(), {}, &shared).succeeded);
  EXPECT_EQ(artifact("body", "99", "item"), Value("b"));
}

model::Constant constant(const std::string& name, const Value& value) {
  const auto encoded = pickle::encode(value);
  model::Constant made{.name = name, .type = encoded.type, .pickle = {}};
  for (std::size_t i = 0; i < encoded.pickle.count(); ++i) {
    const auto piece = encoded.pickle.piece(i);
    made.pickle.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  return made;
}

TEST_F(RunTest, ConstantsReachEveryTaskAndAJoinBeforeItMerges) {
  HandMadeFlow flow("Constants");
  flow.program.flow.constants = {constant("folds", 5)};
  flow.foreach ("start", "body", {"a", "b"});
  flow.linear("body", "join");
  flow.join("join", "end", [](TaskContext& task) {
    put(task, "seen", get(task.inherited(), "folds"));
    return StepResult();
  });
  flow.end();
  EXPECT_EQ(run(flow), 0) << out_ << err_;
  EXPECT_EQ(artifact("_parameters", "0", "folds"), Value(5));
  EXPECT_EQ(artifact("join", "4", "seen"), Value(5));
  EXPECT_EQ(artifact("end", "5", "folds"), Value(5));
}

TEST_F(RunTest, NoStepChangesAConstant) {
  const std::vector<Body> bodies = {[](TaskContext& task) {
                                      put(task, "folds", 6);
                                      return StepResult();
                                    },
                                    [](TaskContext& task) {
                                      task.drop("folds");
                                      return StepResult();
                                    },
                                    [](TaskContext& task) {
                                      task.pass("folds", {});
                                      return StepResult();
                                    }};
  for (const auto& body : bodies) {
    HandMadeFlow flow("Constants");
    flow.program.flow.constants = {constant("folds", 5)};
    flow.end("start", body);
    EXPECT_EQ(run(flow), 1);
    EXPECT_THAT(out_, HasSubstr("step start cannot change 'folds': parameters and constants are the same for all"));
  }
}

TEST_F(RunTest, AForeachRunsOneTaskPerItemAndJoinsThemInOrder) {
  HandMadeFlow flow("Wide");
  flow.foreach ("start", "body", {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"});
  flow.linear("body", "join", [](TaskContext& task) {
    put(task, "seen", *task.current().foreach_stack.back().value);
    return StepResult();
  });
  flow.join("join", "end", [](TaskContext& task) {
    std::vector<Value> seen;
    for (std::size_t i = 0; i < task.input_count(); ++i) seen.push_back(get(task.input(i), "seen"));
    put(task, "all", Value::list(seen));
    return StepResult();
  });
  flow.end();
  EXPECT_EQ(run(flow), 0) << out_ << err_;
  EXPECT_THAT(out_, HasSubstr("Foreach yields 12 child steps."));
  EXPECT_EQ(artifact("end", "15", "all").str(), "['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l']");
  EXPECT_EQ(artifact("end", "15", "_foreach_stack").size(), 0u);
}

TEST_F(RunTest, NestedForeachesKeepTheirFramesUntilTheirJoin) {
  HandMadeFlow flow("Nested");
  flow.foreach ("start", "mid", {"p", "q"});
  flow.foreach ("mid", "leaf", {"x", "y", "z"});
  flow.linear("leaf", "inner");
  flow.join("inner", "outer");
  flow.join("outer", "end");
  flow.end();
  ASSERT_EQ(run(flow, {.max_workers = 1}), 0) << out_ << err_;
  const auto frames = artifact("leaf", "9", "_foreach_stack");
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_THAT(frames[0].repr(), HasSubstr("'mid', 'items', 2, 1, 'q'"));
  EXPECT_THAT(frames[1].repr(), HasSubstr("'leaf', 'items', 3, 2, 'z'"));
  EXPECT_EQ(artifact("inner", "11", "_foreach_stack").size(), 1u);
  EXPECT_EQ(artifact("outer", "12", "_foreach_stack").size(), 0u);
}

TEST_F(RunTest, ARecursiveSwitchCountsItsRounds) {
  HandMadeFlow flow("Loop");
  flow.linear("start", "loop");
  auto& loop = flow.step("loop", model::Transition::switch_on, {"loop", "end"}, [](TaskContext& task) {
    const auto before = get(task.inherited(), "n");
    const auto n = before.is_none() ? 1 : before.as_integer() + 1;
    put(task, "n", n);
    StepResult result;
    result.chosen = n < 3 ? "loop" : "end";
    return result;
  });
  loop.condition = "n";
  flow.end();
  ASSERT_EQ(run(flow), 0) << out_ << err_;
  EXPECT_EQ(artifact("loop", "2", "_iteration_stack").str(), "[0]");
  EXPECT_EQ(artifact("loop", "4", "_iteration_stack").str(), "[2]");
  EXPECT_EQ(artifact("loop", "4", "_transition").str(), "(['end'], None)");
  EXPECT_EQ(artifact("end", "5", "_iteration_stack").str(), "[]");
}

TEST_F(RunTest, AJoinStartsWithoutTheArtifactsOfItsBranches) {
  HandMadeFlow flow("Join");
  flow.foreach ("start", "body", {"a", "b"});
  flow.linear("body", "join", [](TaskContext& task) {
    put(task, "x", 1);
    return StepResult();
  });
  flow.join("join", "end");
  flow.end();
  ASSERT_EQ(run(flow), 0) << out_ << err_;
  EXPECT_TRUE(artifact("body", "2", "x") == Value(1));
  EXPECT_TRUE(artifact("join", "4", "x").is_none());
  EXPECT_FALSE(artifact("join", "4", "_graph_info").is_none());
}

TEST_F(RunTest, AFailedBodyIsStoredWithWhatItSetAndItsException) {
  HandMadeFlow flow("Fails");
  flow.end("start", [](TaskContext& task) {
    put(task, "x", 1);
    StepResult result;
    result.failure = Failure{"std::runtime_error", "boom", "boom", ""};
    return result;
  });
  EXPECT_EQ(run(flow), 1);
  EXPECT_EQ(artifact("start", "1", "x"), Value(1));
  EXPECT_EQ(artifact("start", "1", "_task_ok"), Value(false));
  EXPECT_THAT(artifact("start", "1", "_exception").repr(), HasSubstr("boom"));
  EXPECT_THAT(out_, HasSubstr("<flow Fails step start> failed:\n"));
  EXPECT_THAT(out_, HasSubstr("Internal error\n"));
  EXPECT_THAT(out_, HasSubstr("std::runtime_error: boom\n"));
  EXPECT_THAT(log("start", "1", datastore::LogStream::err), HasSubstr("]Task failed.\n"));
}

TEST_F(RunTest, AStepThatExitsHasFailedThoughItsCodeIsZero) {
  HandMadeFlow flow("Exits");
  flow.end("start", [](TaskContext&) -> StepResult { std::exit(0); });
  EXPECT_EQ(run(flow), 1);
  EXPECT_THAT(out_, HasSubstr("exited with code 0 before the step was complete."));
  EXPECT_EQ(artifact("start", "1", "name"), Value("not done"));
}

TEST_F(RunTest, AForeachOverNothingFailsItsStepAndNamesTheLine) {
  HandMadeFlow flow("Empty");
  auto& start = flow.foreach ("start", "body", {});
  start.source_file = "/src/empty.cpp";
  start.line = 17;
  flow.linear("body", "join");
  flow.join("join", "end");
  flow.end();
  EXPECT_EQ(run(flow), 1);
  EXPECT_THAT(out_, HasSubstr("Invalid transition in file /src/empty.cpp on line 17:"));
  EXPECT_THAT(out_, HasSubstr("loops over 'items', which has no items."));
}

TEST_F(RunTest, ARetriedAttemptStartsFromTheParentAndSucceeds) {
  HandMadeFlow flow("Retry");
  auto& start = flow.linear("start", "end", [](TaskContext& task) {
    const bool seen = !get(task.inherited(), "x").is_none();
    put(task, "x", 1);
    StepResult result;
    if (task.current().retry_count == 0 || seen) result.failure = Failure{"std::runtime_error", "again", "again", ""};
    return result;
  });
  start.decorators = {{"retry", {{"times", "1"}}}};
  flow.end();
  EXPECT_EQ(run(flow), 0) << out_;
  EXPECT_THAT(log("start", "1", datastore::LogStream::err, 0), HasSubstr("again"));
  EXPECT_EQ(artifact("start", "1", "_task_ok"), Value(true));
}

StepResult fails(const std::string& message) {
  StepResult result;
  result.failure = Failure{"std::runtime_error", message, message, ""};
  return result;
}

TEST_F(RunTest, ACaughtFailureGoesOnWithItsExceptionInTheVariable) {
  HandMadeFlow flow("Catch");
  auto& start = flow.linear("start", "end", [](TaskContext& task) {
    put(task, "x", 1);
    return fails("boom");
  });
  start.decorators = {{"catch", {{"var", "\"trouble\""}}}};
  flow.end();
  EXPECT_EQ(run(flow), 0) << out_ << err_;
  EXPECT_EQ(artifact("start", "1", "_task_ok"), Value(true));
  EXPECT_EQ(artifact("start", "1", "_success"), Value(false));
  EXPECT_TRUE(artifact("start", "1", "_exception").is_none());
  EXPECT_THAT(artifact("end", "2", "trouble").repr(), HasSubstr("boom"));
  EXPECT_THAT(artifact("end", "2", "_catch_exception").repr(), HasSubstr("boom"));
  EXPECT_EQ(artifact("end", "2", "x"), Value(1));
  EXPECT_THAT(out_, HasSubstr("] >  std::runtime_error: boom\n"));
}

TEST_F(RunTest, OnlyTheLastAttemptIsCaught) {
  HandMadeFlow flow("Late");
  auto& start = flow.linear(
      "start", "end", [](TaskContext& task) { return fails("attempt " + std::to_string(task.current().retry_count)); });
  start.decorators = {{"catch", {{"var", "\"trouble\""}, {"print_exception", "false"}}}, {"retry", {{"times", "1"}}}};
  flow.end();
  EXPECT_EQ(run(flow), 0) << out_ << err_;
  EXPECT_THAT(artifact("end", "2", "trouble").repr(), HasSubstr("attempt 1"));
  EXPECT_THAT(out_, HasSubstr("] std::runtime_error: attempt 0\n"));
  EXPECT_THAT(out_, testing::Not(HasSubstr("attempt 1")));
}

TEST_F(RunTest, ACaughtStepThatGoesWellSetsItsVariableToNone) {
  HandMadeFlow flow("Well");
  flow.linear("start", "end",
              [](TaskContext& task) {
                put(task, "trouble", 1);
                return StepResult();
              })
      .decorators = {{"catch", {{"var", "\"trouble\""}}}};
  flow.end();
  EXPECT_EQ(run(flow), 0) << out_ << err_;
  EXPECT_TRUE(artifact("start", "1", "trouble").is_none());
  EXPECT_TRUE(artifact("start", "1", "_catch_exception").is_none());
  EXPECT_EQ(artifact("start", "1", "_success"), Value(true));
}

TEST_F(RunTest, ATaskThatDiesBetweenItsLastFileAndItsReportCountsAsDone) {
  HandMadeFlow flow("Late");
  flow.foreach ("start", "body", {"x", "y"});
  flow.linear("body", "join", [](TaskContext& task) {
    put(task, "x", 1);
    return StepResult();
  });
  flow.join("join", "end");
  flow.end();
  before_report_ = [this](const runtime::TaskRequest& request) {
    // As if it had died before the last of its records, too.
    const auto records = folder_ / ".metaflow/Late" / request.run / request.step / request.task / "_meta";
    for (const auto& entry : std::filesystem::directory_iterator(records)) {
      const auto name = entry.path().filename().string();
      if (name.starts_with("sysmeta_attempt-done") || name.starts_with("0_artifact_x"))
        std::filesystem::remove(entry.path());
    }
    std::raise(SIGKILL);
  };
  EXPECT_EQ(run(flow), 0) << out_ << err_;
  EXPECT_THAT(out_, HasSubstr("all it had to store is there: the task counts as done."));
  EXPECT_THAT(metadata_->done_attempts("Late", run_, "body", "2"), ElementsAre(0));
  EXPECT_TRUE(metadata_->artifact("Late", run_, "body", "2", 0, "x"));
}

TEST_F(RunTest, ATaskThatDiesAfterItHasStoredItsFailureHasFailed) {
  HandMadeFlow flow("Late");
  flow.linear("start", "end", [](TaskContext&) { return fails("boom"); });
  flow.end();
  before_report_ = [](const runtime::TaskRequest&) { std::raise(SIGKILL); };
  EXPECT_EQ(run(flow), 1);
  EXPECT_THAT(err_, HasSubstr("Step start (task-id 1) failed."));
}

TEST_F(RunTest, ALimitReachedWhenAllIsStoredDoesNotUndoIt) {
  HandMadeFlow flow("Late");
  flow.linear("start", "end").decorators = {{"timeout", {{"seconds", "0.2"}}}};
  flow.end();
  before_report_ = [](const runtime::TaskRequest& request) {
    while (request.step == "start" && !request.failure) ::pause();
  };
  EXPECT_EQ(run(flow), 0) << out_ << err_;
  EXPECT_EQ(artifact("start", "1", "_task_ok"), Value(true));
}

TEST_F(RunTest, PrintedLinesAreStoredInOrderWhateverTheirBytes) {
  HandMadeFlow flow("Prints");
  flow.end("start", [](TaskContext&) {
    for (int i = 0; i < 1000; ++i) std::printf("line %d\n", i);
    std::printf("  bad \xff byte, no newline");
    return StepResult();
  });
  EXPECT_EQ(run(flow), 0);
  std::istringstream stored(log("start", "1", datastore::LogStream::out));
  std::string line, last;
  for (int i = 0; i < 1000; ++i) {
    std::getline(stored, line);
    EXPECT_THAT(line, testing::EndsWith("]line " + std::to_string(i)));
    EXPECT_LT(last, line.substr(0, line.find(']')));
    last = line.substr(0, line.find(']'));
  }
  std::getline(stored, line);
  EXPECT_THAT(line, testing::EndsWith("]  bad \uFFFD byte, no newline"));
  EXPECT_THAT(out_, HasSubstr("] bad \uFFFD byte, no newline\n"));
}

TEST_F(RunTest, AnEmptyTaskWritesFewFilesAndLeavesNoTemporaryFolder) {
  HandMadeFlow flow("Empty");
  flow.linear("start", "end", [](TaskContext& task) {
    put(task, "folder", task.current().temporary_folder());
    std::ofstream(task.current().temporary_folder() + "/file") << "x";
    return StepResult();
  });
  flow.end();
  ASSERT_EQ(run(flow), 0);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / ".metaflow/Empty" / run_ / "end/2"))
    files += entry.is_regular_file() ? 1 : 0;
  EXPECT_LE(files, 20u);
  EXPECT_FALSE(std::filesystem::exists(artifact("start", "1", "folder").as_text()));
}

}  // namespace
}  // namespace metaflow::compute
