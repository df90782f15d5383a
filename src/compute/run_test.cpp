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

}  // namespace
}  // namespace metaflow::compute
