#include "compute/run_fixture.hpp"

/// What only programs and runs made by hand can show; the rest is in tests/test_resume.py.
namespace metaflow::compute {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A store on whose disk one file has no room.
class FullStore final : public storage::ObjectStore {
 public:
  FullStore(storage::ObjectStore& store, std::string key_part) : store_(store), key_part_(std::move(key_part)) {}

  void put(std::string_view key, const Pieces& value, storage::Visibility visibility) override {
    if (key.find(key_part_) != key.npos) throw Error(ErrorCode::exhausted, "no space left on device");
    store_.put(key, value, visibility);
  }
  std::optional<Buffer> get(std::string_view key) const override { return store_.get(key); }
  std::optional<std::uint64_t> size(std::string_view key) const override { return store_.size(key); }
  bool create(std::string_view key, const Pieces& value) override { return store_.create(key, value); }
  void append(std::string_view key, std::string_view bytes) override { store_.append(key, bytes); }
  std::vector<std::string> list(std::string_view prefix) const override { return store_.list(prefix); }
  void remove(std::string_view key) override { store_.remove(key); }
  const std::string& root() const override { return store_.root(); }
  std::string_view type() const override { return store_.type(); }

 private:
  storage::ObjectStore& store_;
  std::string key_part_;
};

class ResumeTest : public RunTest {
 protected:
  std::string task_folder(const std::string& step, const std::string& task) const {
    return folder_ / ".metaflow" / flow_ / run_ / step / task;
  }
};

TEST_F(ResumeTest, TaskIdsThatAreNoNumbersAreTakenOverUnderNumbers) {
  HandMadeFlow flow("Flow");
  flow.foreach ("start", "body", {"x", "y"});
  flow.linear("body", "join", [](TaskContext& task) {
    put(task, "index", Value(*task.current().index()));
    return StepResult();
  });
  flow.join("join", "end");
  flow.end();
  ASSERT_EQ(run(flow), 0);
  std::filesystem::rename(task_folder("body", "3"), task_folder("body", "2_node_1"));
  ASSERT_EQ(resume(flow, "join"), 0) << err_;
  EXPECT_THAT(tasks_of("body"), ElementsAre("2", "3"));
  EXPECT_EQ(artifact("body", "3", "index"), Value(1));
}

TEST_F(ResumeTest, AFinishedStepThatNowLeadsElsewhereHasToBeExecutedAgain) {
  HandMadeFlow before("Flow"), after("Flow");
  before.linear("start", "end");
  before.end();
  ASSERT_EQ(run(before), 0);
  after.linear("start", "middle");
  after.linear("middle", "end");
  after.end();
  const auto origin = run_;
  EXPECT_EQ(resume(after), -1);
  EXPECT_THAT(message_, HasSubstr("Step start went on to [end] in run " + origin + ", but leads to [middle]"));
  EXPECT_THAT(message_, HasSubstr("'resume start'"));
  run_ = origin;
  EXPECT_EQ(resume(after, "start"), 0) << err_;
}

TEST_F(ResumeTest, AParameterThatTheOriginDoesNotHaveIsNamed) {
  HandMadeFlow flow("Flow");
  flow.linear("start", "end");
  flow.end();
  ASSERT_EQ(run(flow), 0);
  model::Parameter added;
  added.name = added.attribute = "added";
  flow.program.flow.parameters.push_back(added);
  EXPECT_EQ(resume(flow), -1);
  EXPECT_THAT(message_, HasSubstr("'added'"));
}

TEST_F(ResumeTest, TheTaskThatMakesARunLookFinishedIsTakenOverLast) {
  HandMadeFlow flow("Flow");
  flow.linear("start", "end");
  flow.end();
  ASSERT_EQ(run(flow), 0);
  std::filesystem::rename(task_folder("end", "2"), task_folder("end", "0"));  // ids of a resumed run come in any order
  ASSERT_EQ(resume(flow), 0) << err_;
  EXPECT_THAT(tasks_of("start"), ElementsAre("1"));
  EXPECT_THAT(tasks_of("end"), ElementsAre("2"));
}

TEST_F(ResumeTest, ARunThatCouldNotBeTakenOverWholeDoesNotLookFinished) {
  HandMadeFlow flow("Flow");
  flow.linear("start", "middle");
  flow.linear("middle", "end");
  flow.end();
  ASSERT_EQ(run(flow), 0);
  const auto tasks = launcher(flow.program);
  FullStore full(*objects_, "/middle/2/0.data.json");
  EXPECT_THROW(runtime::resume_flow(flow.program, {.run_id = "new"}, {.origin_run = run_}, {full, *metadata_}, *tasks,
                                    system_clock()),
               Error);
  run_ = "new";
  EXPECT_THAT(tasks_of("end"), ElementsAre());
}

TEST_F(ResumeTest, AnIdFromOutsideThatIsTakenIsRefused) {
  HandMadeFlow flow("Flow");
  flow.linear("start", "end");
  flow.end();
  ASSERT_EQ(run(flow), 0);
  const auto tasks = launcher(flow.program);
  const auto with_id = [&](const std::string& id) {
    return runtime::resume_flow(flow.program, {.run_id = id}, {.origin_run = run_}, stores(), *tasks, system_clock());
  };
  EXPECT_THROW(with_id("data"), Error) << "the folder of the blobs";
  EXPECT_EQ(with_id("mine"), 0);
  EXPECT_THROW(with_id("mine"), Error);
}

}  // namespace
}  // namespace metaflow::compute
