#include <metaflow/client.hpp>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <metaflow/pickle.hpp>
#include <metaflow/value.hpp>

#include "client/navigation.hpp"
#include "client/session.hpp"
#include "client/state.hpp"
#include "datastore/artifacts.hpp"
#include "datastore/blob_store.hpp"
#include "datastore/task_store.hpp"
#include "metadata/metadata.hpp"
#include "storage/object_store.hpp"

namespace metaflow::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

using Artifacts = std::map<std::string, Value>;

/// Runs of a flow `Films`, written by the engine's own writers into a folder of the test's own.
class ClientTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "client_test_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    open_stores(".metaflow");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void open_stores(const std::string& name) {
    objects_ = storage::open_directory_store(folder_ / name);
    metadata_ = metadata::open_local_metadata(objects_->root());
    blobs_.emplace(*objects_, "Films");
    tasks_.emplace(*objects_, "Films");
  }

  Options options() const { return {.folder = folder_, .name_space = std::nullopt}; }

  std::string new_run(const std::set<std::string>& tags = {}) {
    runs_.push_back(metadata_->create_run("Films", tags));
    return runs_.back().run;
  }

  /// One attempt, done, of a task of the newest run.
  void write_task(const std::string& step, const std::string& task, const Artifacts& artifacts, int attempt = 0,
                  bool succeeded = true) {
    const auto& run = runs_.back();
    const datastore::TaskPath path{run.run, step, task};
    auto all = artifacts;
    all.insert({{"_task_ok", succeeded}, {"_success", succeeded}, {"_exception", Value()}});
    if (attempt == 0) metadata_->add_task(run, step, task, ++clock_ms_, {});
    tasks_->start_attempt(path, attempt, 0);
    metadata_->add_data(run, step, task,
                        {{"attempt", std::to_string(attempt), "", attempt},
                         {"ds-type", std::string(objects_->type()), "", attempt},
                         {"ds-root", objects_->root(), "", attempt}});
    datastore::ArtifactTable table;
    for (const auto& [name, value] : all) {
      const auto encoded = pickle::encode(value);
      table[name] = {blobs_->put(encoded.pickle), encoded.type, encoded.pickle.size()};
    }
    tasks_->finish(path, attempt, table);
    metadata_->add_artifacts(run, step, task, attempt, table, std::string(objects_->type()), objects_->root());
    metadata_->add_data(run, step, task, {{"attempt-done", std::to_string(attempt), "", attempt}});
  }

  /// The pseudo-task of the newest run, with the graph that navigation goes by: each step, its type, and what follows.
  void write_graph(const std::vector<std::tuple<std::string, std::string, std::vector<Value>>>& steps) {
    std::vector<Value::Pair> described;
    for (const auto& [name, type, next] : steps)
      described.emplace_back(name, Value::dict({{"type", type}, {"next", Value::list(next)}}));
    write_task("_parameters", "0", {{"_graph_info", Value::dict({{"steps", Value::dict(described)}})}});
  }

  void write_place(const std::string& step, const std::string& task, const std::string& place) {
    metadata_->add_data(runs_.back(), step, task, {{"foreach-execution-path", place, "", 0}});
  }

  void write_log(const std::string& step, const std::string& task, int attempt, datastore::LogStream stream,
                 const std::string& line) {
    tasks_->append_log({runs_.back().run, step, task}, attempt, datastore::LogSource::runtime, stream,
                       "[MFLOG|0|2026-11-23T14:10:41.790713Z|runtime|1]" + line + "\n");
  }

  std::string pathspec(const std::string& rest) const { return "Films/" + runs_.back().run + rest; }

  std::filesystem::path folder_;
  std::unique_ptr<storage::ObjectStore> objects_;
  std::unique_ptr<metadata::Metadata> metadata_;
  std::optional<datastore::BlobStore> blobs_;
  std::optional<datastore::TaskStore> tasks_;
  std::vector<metadata::RunRecord> runs_;
  std::int64_t clock_ms_ = 1'795'000'000'000;
};

/// The Error that `action` throws.
template <class Action>
Error error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorCode::internal, ""};
}

TEST_F(ClientTest, ReadsWhatTheLastStepOfTheLatestRunLeft) {
  new_run();
  write_task("start", "1", {{"gross", 1.5}});
  write_task("end", "2", {{"gross", 2.5}, {"genres", Value::list({"drama", "comedy"})}});
  const auto run = Flow("Films", options()).latest_run();
  ASSERT_TRUE(run);
  EXPECT_EQ(run->artifact<double>("gross"), 2.5);
  EXPECT_THAT(run->artifact<std::vector<std::string>>("genres").value(), ElementsAre("drama", "comedy"));
  EXPECT_EQ(run->step("start").task().artifact<double>("gross"), 1.5);
}

TEST_F(ClientTest, AnArtifactNeverSetIsNothing) {
  new_run();
  write_task("end", "1", {});
  EXPECT_EQ(Task(pathspec("/end/1"), options()).artifact<int>("gross"), std::nullopt);
}

TEST_F(ClientTest, AnArtifactOfAnotherTypeIsRefusedByName) {
  new_run();
  write_task("end", "1", {{"gross", "much"}});
  const auto error = error_of([&] { Task(pathspec("/end/1"), options()).artifact<double>("gross"); });
  EXPECT_EQ(error.code(), ErrorCode::invalid);
  EXPECT_THAT(error.what(), HasSubstr("'gross' of " + pathspec("/end/1")));
}

TEST_F(ClientTest, RunsStepsAndTasksComeNewestFirst) {
  const auto first = new_run();
  const auto second = new_run();
  write_task("start", "1", {});
  write_task("body", "2", {});
  write_task("body", "3", {});
  std::vector<std::string> runs, steps, tasks;
  const Flow flow("Films", options());
  for (const auto& run : flow.runs()) runs.push_back(run.id());
  for (const auto& step : flow.runs().front().steps()) steps.push_back(step.id());
  for (const auto& task : flow.runs().front().step("body").tasks()) tasks.push_back(task.id());
  EXPECT_THAT(runs, ElementsAre(second, first));
  EXPECT_THAT(steps, ElementsAre("body", "start"));
  EXPECT_THAT(tasks, ElementsAre("3", "2"));
}

TEST_F(ClientTest, TheLatestSuccessfulRunIsFoundBehindFailedOnes) {
  const auto good = new_run();
  write_task("end", "1", {});
  new_run();
  write_task("end", "1", {}, 0, false);
  const auto running = new_run();
  const Flow flow("Films", options());
  EXPECT_EQ(flow.latest_run()->id(), running);
  EXPECT_EQ(flow.latest_successful_run()->id(), good);
}

TEST_F(ClientTest, ARunIsFinishedWhenItsLastStepIs) {
  new_run();
  write_task("start", "1", {});
  const client::Run run(pathspec(""), options());
  EXPECT_FALSE(run.finished());
  EXPECT_EQ(run.finished_at(), std::nullopt);
  write_task("end", "2", {});
  EXPECT_TRUE(run.finished());
  EXPECT_TRUE(run.successful());
  EXPECT_GE(run.finished_at().value(), run.created_at());
}

TEST_F(ClientTest, TheLastStepMayHaveAnyName) {
  new_run();
  write_task("_parameters", "0", {});
  metadata_->add_data(runs_.back(), "_parameters", "0", {{"end_step", "finish", "graph_structure"}});
  write_task("finish", "1", {{"x", 3}});
  const client::Run run(pathspec(""), options());
  EXPECT_TRUE(run.finished());
  EXPECT_EQ(run.artifact<int>("x"), 3);
}

TEST_F(ClientTest, ParametersAreFoundByNameButNotListed) {
  new_run();
  write_task("_parameters", "0", {{"csv", "films.csv"}});
  write_task("start", "1", {});
  const client::Run run(pathspec(""), options());
  EXPECT_EQ(run.steps().size(), 1U);
  EXPECT_EQ(run.step("_parameters").task().artifact<std::string>("csv"), "films.csv");
}

TEST_F(ClientTest, AFailedTaskSaysWhy) {
  new_run();
  const auto state = Value::dict({{"exception", "boom"}, {"type", "std::runtime_error"}, {"stacktrace", "at start"}});
  ObjectContent wrapper;
  wrapper.module = "metaflow.exception";
  wrapper.name = "MetaflowExceptionWrapper";
  wrapper.arguments = {Value()};
  wrapper.state = state;
  write_task("start", "1", {{"_exception", Value::object(wrapper)}}, 0, false);
  const Task task(pathspec("/start/1"), options());
  EXPECT_FALSE(task.finished());
  EXPECT_EQ(task.exception().value().type, "std::runtime_error");
  EXPECT_EQ(task.exception().value().message, "boom");
  EXPECT_EQ(task.exception().value().stacktrace, "at start");
}

TEST_F(ClientTest, ALaterAttemptTakesThePlaceOfAnEarlierOne) {
  new_run();
  write_task("start", "1", {{"x", 1}}, 0, false);
  write_task("start", "1", {{"x", 2}}, 1);
  const Task task(pathspec("/start/1"), options());
  EXPECT_EQ(task.current_attempt(), 1);
  EXPECT_EQ(task.artifact<int>("x"), 2);
  EXPECT_EQ(task.exception().has_value(), false);
}

TEST_F(ClientTest, AForeachTaskKnowsItsFrames) {
  new_run();
  const auto frame = [](std::vector<Value> fields) {
    ObjectContent made;
    made.module = "__main__";
    made.name = "ForeachFrame";
    made.made = ObjectContent::Made::created;
    made.arguments = std::move(fields);
    return Value::object(made);
  };
  write_task("leaf", "1",
             {{"_foreach_stack", Value::list({frame({"body", "genres", 3, 2, "drama"}),
                                              frame({"leaf", "years", Value(), 0, Value()})})}});
  const auto frames = Task(pathspec("/leaf/1"), options()).foreach_stack();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0], (ForeachFrame{"body", "genres", 3, 2, "drama"}));
  EXPECT_EQ(frames[1], (ForeachFrame{"leaf", "years", std::nullopt, 0, std::nullopt}));
  EXPECT_EQ(Task(pathspec("/leaf/1"), options()).index(), 0);
}

TEST_F(ClientTest, OutsideAForeachThereIsNoIndex) {
  new_run();
  write_task("start", "1", {{"_foreach_stack", Value::list({})}});
  EXPECT_EQ(Task(pathspec("/start/1"), options()).index(), std::nullopt);
}

TEST_F(ClientTest, OutputIsThatOfTheLatestAttempt) {
  new_run();
  write_task("start", "1", {}, 0, false);
  write_task("start", "1", {}, 1);
  write_log("start", "1", 0, datastore::LogStream::out, "first try");
  write_log("start", "1", 1, datastore::LogStream::out, "second try");
  const Task task(pathspec("/start/1"), options());
  EXPECT_EQ(task.stdout_text(), "second try\n");
  EXPECT_EQ(task.stderr_text(), "");
}

TEST_F(ClientTest, PrivateArtifactsAreNotListed) {
  new_run();
  write_task("end", "1", {{"b", 1}, {"a", 2}, {"_hidden", 3}});
  const Task task(pathspec("/end/1"), options());
  EXPECT_THAT(task.artifact_names(), ElementsAre("a", "b"));
  EXPECT_EQ(task.artifact<int>("_hidden"), 3);
}

TEST_F(ClientTest, AFailedTaskShowsWhatItSetBefore) {
  new_run();
  write_task("start", "1", {{"a_rather_long_name_of_an_artifact", 1}}, 0, false);
  const Task task(pathspec("/start/1"), options());
  EXPECT_THAT(task.artifact_names(), ElementsAre("a_rather_long_name_of_an_artifact"));
  EXPECT_EQ(task.artifact<int>("a_rather_long_name_of_an_artifact"), 1);
}

TEST_F(ClientTest, AnIncludeFileIsReadAsItsContent) {
  new_run();
  std::ofstream(folder_ / "notes.txt") << "naïve notes";
  const auto descriptor = datastore::store_included_file(datastore::data_tools_root(objects_->root()), "Films",
                                                         (folder_ / "notes.txt").string(), true);
  std::string pickle;
  for (std::size_t i = 0; i < descriptor.pickle.count(); ++i) {
    const auto piece = descriptor.pickle.piece(i);
    pickle.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  write_task("end", "1", {{"notes", pickle::decode(std::as_bytes(std::span(pickle)))}});
  EXPECT_EQ(Task(pathspec("/end/1"), options()).artifact<std::string>("notes"), "naïve notes");
}

TEST_F(ClientTest, ADamagedBlobIsNamedByArtifactAndTask) {
  new_run();
  write_task("end", "1", {{"gross", 2.5}});
  const Task task(pathspec("/end/1"), options());
  const auto key = task.data_artifact("gross").key();
  std::ofstream(folder_ / ".metaflow/Films/data" / key.substr(0, 2) / key) << "damaged";
  const auto error = error_of([&] { task.artifact<double>("gross"); });
  EXPECT_EQ(error.code(), ErrorCode::corrupt);
  EXPECT_THAT(error.what(), HasSubstr("'gross' of " + pathspec("/end/1")));
}

// Status

TEST_F(ClientTest, ATaskWithoutAnEndIsUnfinishedUntilTheSchedulerHasGivenItUp) {
  new_run();
  metadata_->add_task(runs_.back(), "start", "1", ++clock_ms_, {});
  const client::Run run(pathspec(""), options());
  const Task task(pathspec("/start/1"), options());
  EXPECT_EQ(task.status(), Status::unfinished);
  EXPECT_EQ(run.status(), Status::unfinished);
  write_log("start", "1", 0, datastore::LogStream::err, "Task failed.");
  EXPECT_EQ(task.status(), Status::failed);
  EXPECT_EQ(run.status(), Status::failed);
}

TEST_F(ClientTest, AFailedAttemptIsFailedUntilTheNextOneStarts) {
  new_run();
  write_task("start", "1", {}, 0, false);
  const Task task(pathspec("/start/1"), options());
  EXPECT_EQ(task.status(), Status::failed);
  EXPECT_EQ(task.finished_at(), std::nullopt);
  EXPECT_NE(task.ended_at(), std::nullopt);
  metadata_->add_data(runs_.back(), "start", "1", {{"attempt", "1", "", 1}});
  EXPECT_EQ(task.status(), Status::unfinished);
  write_task("start", "1", {}, 1);
  EXPECT_EQ(task.status(), Status::done);
}

TEST_F(ClientTest, ACaughtFailureIsNeitherDoneNorFailed) {
  new_run();
  write_task("end", "1", {{"_success", false}});
  const client::Run run(pathspec(""), options());
  EXPECT_EQ(run.status(), Status::caught);
  EXPECT_TRUE(run.finished());
  EXPECT_FALSE(run.successful());
}

// Attempts, metadata and logs

TEST_F(ClientTest, AnAttemptIsSeenAsItWas) {
  new_run();
  write_task("start", "1", {{"x", 1}}, 0, false);
  write_task("start", "1", {{"x", 2}}, 1);
  write_log("start", "1", 0, datastore::LogStream::out, "first try");
  const auto first = Task(pathspec("/start/1"), options()).at_attempt(0);
  EXPECT_EQ(first.artifact<int>("x"), 1);
  EXPECT_EQ(first.stdout_text(), "first try\n");
  EXPECT_EQ(first.metadata_dict().at("attempt-done"), "0");
  EXPECT_EQ(first.status(), Status::failed);
  EXPECT_TRUE(first.at_attempt(3).artifact_names().empty());
  EXPECT_EQ(error_of([&] { first.at_attempt(6); }).code(), ErrorCode::invalid);
}

TEST_F(ClientTest, MetadataIsNewestFirstAndItsDictHasTheNewestValues) {
  new_run();
  write_task("start", "1", {}, 0, false);
  write_task("start", "1", {}, 1);
  const auto metadata = Task(pathspec("/start/1"), options()).metadata();
  EXPECT_TRUE(std::is_sorted(metadata.begin(), metadata.end(),
                             [](const auto& a, const auto& b) { return a.created_at > b.created_at; }));
  const auto dict = Task(pathspec("/start/1"), options()).metadata_dict();
  EXPECT_EQ(dict.at("attempt"), "1");
  EXPECT_EQ(dict.at("ds-root"), objects_->root());
}

TEST_F(ClientTest, LinesOfALogHaveTheirTimes) {
  new_run();
  write_task("start", "1", {});
  write_log("start", "1", 0, datastore::LogStream::out, "hello");
  const Task task(pathspec("/start/1"), options());
  const auto lines = task.log_lines(LogStream::out);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].text, "hello");
  EXPECT_EQ(lines[0].time->time_since_epoch().count(), 1'795'443'041'790'713);
  EXPECT_GT(task.stdout_size(), 6U);
  EXPECT_EQ(task.stderr_size(), 0U);
}

TEST_F(ClientTest, WhatACloneLacksComesFromTheOriginal) {
  new_run();
  write_task("body", "4", {});
  write_place("body", "4", "body:7");
  write_log("body", "4", 0, datastore::LogStream::out, "printed once");
  const auto original = runs_.back().run;
  new_run();
  write_task("body", "1", {});
  metadata_->add_data(runs_.back(), "body", "1", {{"origin-task-id", "4"}, {"origin-run-id", original}});
  const Task clone(pathspec("/body/1"), options());
  EXPECT_EQ(clone.origin_pathspec(), "Films/" + original + "/body/4");
  EXPECT_EQ(clone.stdout_text(), "printed once\n");
  EXPECT_EQ(clone.metadata_dict().at("foreach-execution-path"), "body:7");
  EXPECT_EQ(clone.parent().origin_pathspec(), "Films/" + original + "/body");
  EXPECT_EQ(client::Run(pathspec(""), options()).origin_pathspec(), "Films/" + original);
}

TEST_F(ClientTest, AnOrdinaryRunHasNoOrigin) {
  new_run();
  write_task("start", "1", {});
  metadata_->add_data(runs_.back(), "start", "1", {{"origin-run-id", "None"}});  // as official writes it
  EXPECT_EQ(client::Run(pathspec(""), options()).origin_pathspec(), std::nullopt);
  EXPECT_EQ(Task(pathspec("/start/1"), options()).origin_pathspec(), std::nullopt);
  new_run();
  EXPECT_EQ(client::Run(pathspec(""), options()).origin_pathspec(), std::nullopt);
}

TEST_F(ClientTest, AnArtifactKnowsItsSizeTypeAndKey) {
  new_run();
  write_task("end", "1", {{"gross", 2.5}});
  const DataArtifact gross(pathspec("/end/1/gross"), options());
  EXPECT_EQ(gross.value<double>(), 2.5);
  EXPECT_EQ(gross.type(), "<class 'float'>");
  EXPECT_EQ(gross.size(), pickle::encode(2.5).pickle.size());
  EXPECT_EQ(gross.key().size(), 40U);
  EXPECT_EQ(gross.parent().pathspec(), pathspec("/end/1"));
  EXPECT_EQ(gross.parent().artifacts().size(), 1U);
}

// Navigation

TEST_F(ClientTest, ATaskOfAWideForeachHasOneParentAndOneChild) {
  new_run();
  write_graph({{"start", "split-foreach", {"body"}},
               {"body", "linear", {"more"}},
               {"more", "linear", {"join"}},
               {"join", "join", {"end"}},
               {"end", "end", {}}});
  write_task("start", "1", {});
  for (int i = 0; i < 12; ++i) {
    const auto place = "body:" + std::to_string(i);
    write_task("body", std::to_string(10 + i), {});
    write_place("body", std::to_string(10 + i), place);
    write_task("more", std::to_string(30 + i), {});
    write_place("more", std::to_string(30 + i), place);
  }
  write_task("join", "50", {});
  const Task more(pathspec("/more/31"), options());
  EXPECT_THAT(more.parent_task_pathspecs(), ElementsAre(pathspec("/body/11")));
  EXPECT_THAT(more.child_task_pathspecs(), ElementsAre(pathspec("/join/50")));
  const Task start(pathspec("/start/1"), options());
  EXPECT_EQ(start.child_tasks().size(), 12U);
  EXPECT_EQ(start.child_task_pathspecs()[2], pathspec("/body/12"));
  EXPECT_TRUE(start.parent_tasks().empty());
  EXPECT_EQ(Task(pathspec("/join/50"), options()).parent_tasks().size(), 12U);
}

TEST_F(ClientTest, ARunIsForgottenWithTheLastHandleThoughItsTasksWereFoundByPlace) {
  new_run();
  write_graph({{"start", "linear", {"end"}}, {"end", "end", {}}});
  write_task("start", "1", {});
  write_task("end", "2", {});
  auto run =
      std::make_shared<detail::RunState>(std::make_shared<detail::Session>(options()), "Films", runs_.back().run);
  const std::weak_ptr<const detail::RunState> watched = run;
  EXPECT_EQ(run->tasks_by_place("start")->size(), 1U);
  EXPECT_EQ(detail::related_tasks(*run->tasks("end").front(), detail::Direction::parents).front()->task, "1");
  run.reset();
  EXPECT_TRUE(watched.expired());
}

TEST_F(ClientTest, AGraphThatIsDamagedIsNamed) {
  new_run();
  write_task("_parameters", "0", {{"_graph_info", Value::dict({{"steps", 3}})}});
  write_task("start", "1", {});
  try {
    Task(pathspec("/start/1"), options()).child_tasks();
    FAIL() << "that is no graph";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt);
    EXPECT_THAT(error.what(), testing::HasSubstr("cannot read the graph of run '" + pathspec("") +
                                                 "', artifact '_graph_info' of " + pathspec("/_parameters/0")));
  }
}

TEST_F(ClientTest, TurnsOfARecursiveStepLeadToOneAnother) {
  new_run();
  write_graph({{"start", "linear", {"turn"}}, {"turn", "split-switch", {"turn", "end"}}, {"end", "end", {}}});
  const auto transition = [](const char* step) { return Value::tuple({Value::list({step}), Value()}); };
  const auto turn = [](int number) { return Value::list({number}); };
  write_task("start", "1", {});
  write_task("turn", "2", {{"_transition", transition("turn")}, {"_iteration_stack", turn(0)}});
  write_task("turn", "3", {{"_transition", transition("turn")}, {"_iteration_stack", turn(1)}});
  write_task("turn", "4", {{"_transition", transition("end")}, {"_iteration_stack", turn(2)}});
  write_task("end", "5", {});
  const auto parents = [&](const std::string& task) { return Task(pathspec(task), options()).parent_task_pathspecs(); };
  const auto children = [&](const std::string& task) { return Task(pathspec(task), options()).child_task_pathspecs(); };
  EXPECT_THAT(children("/start/1"), ElementsAre(pathspec("/turn/2")));
  EXPECT_THAT(children("/turn/2"), ElementsAre(pathspec("/turn/3")));
  EXPECT_THAT(children("/turn/4"), ElementsAre(pathspec("/end/5")));
  EXPECT_THAT(parents("/turn/2"), ElementsAre(pathspec("/start/1")));
  EXPECT_THAT(parents("/turn/4"), ElementsAre(pathspec("/turn/3")));
  EXPECT_THAT(parents("/end/5"), ElementsAre(pathspec("/turn/4")));
}

TEST_F(ClientTest, StepsLeadToThoseThatHaveStarted) {
  new_run();
  write_graph({{"start", "split-switch", {"left", "right"}},
               {"left", "linear", {"end"}},
               {"right", "linear", {"end"}},
               {"end", "end", {}}});
  write_task("start", "1", {});
  write_task("right", "2", {});
  write_task("end", "3", {});
  const client::Run run(pathspec(""), options());
  const auto ids = [](const std::vector<Step>& steps) {
    std::vector<std::string> names;
    for (const auto& step : steps) names.push_back(step.id());
    return names;
  };
  EXPECT_THAT(ids(run.step("start").child_steps()), ElementsAre("right"));
  EXPECT_THAT(ids(run.step("end").parent_steps()), ElementsAre("right"));
  EXPECT_TRUE(run.step("_parameters").child_steps().empty());
}

TEST_F(ClientTest, WithoutAGraphNavigationSaysSo) {
  new_run();
  write_task("start", "1", {});
  const Task task(pathspec("/start/1"), options());
  EXPECT_EQ(error_of([&] { task.child_tasks(); }).code(), ErrorCode::not_found);
}

// Tags and namespaces

TEST_F(ClientTest, TagsChangeForAllHandlesAndKeepUserAndTime) {
  new_run({"old", "kept"});
  const client::Run run(pathspec(""), options());
  const auto created = run.created_at();
  run.add_tags({"a", "b"});
  run.remove_tag("b");
  run.replace_tag("old", "new");
  EXPECT_THAT(client::Run(pathspec(""), options()).user_tags(), UnorderedElementsAre("a", "kept", "new"));
  EXPECT_EQ(run.created_at(), created);
  EXPECT_EQ(run.user(), runs_.back().user);
}

TEST_F(ClientTest, ASystemTagCannotBeRemoved) {
  new_run();
  const client::Run run(pathspec(""), options());
  const auto error = error_of([&] { run.remove_tag(metadata::current_identity().name_space()); });
  EXPECT_EQ(error.code(), ErrorCode::invalid);
  EXPECT_EQ(error.headline(), "Tagging error");
  EXPECT_NO_THROW(run.remove_tag("never there"));
  EXPECT_EQ(error_of([&] { run.add_tag(""); }).code(), ErrorCode::invalid);
}

TEST_F(ClientTest, TagsOfARunAreThoseOfItsStepsAndTasks) {
  new_run({"a"});
  write_task("start", "1", {});
  const Task task(pathspec("/start/1"), options());
  EXPECT_THAT(task.user_tags(), ElementsAre("a"));
  EXPECT_EQ(task.parent().tags(), task.tags());
  EXPECT_EQ(task.runtime_name(), "dev");
  EXPECT_EQ(task.parent().parent().parent().id(), "Films");
}

TEST_F(ClientTest, RunsAreFoundByTheirTags) {
  new_run({"old"});
  const auto wanted = new_run({"new", "good"});
  const auto runs = Flow("Films", options()).runs({"new", "good"});
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs[0].id(), wanted);
  EXPECT_THAT(runs[0].user_tags(), UnorderedElementsAre("new", "good"));
  EXPECT_TRUE(runs[0].system_tags().contains(metadata::current_identity().name_space()));
}

TEST_F(ClientTest, OnlyRunsOfTheNamespaceAreShown) {
  const auto mine = new_run({"team:a"});
  const auto other = new_run();
  const Options of_team{.folder = folder_, .name_space = "team:a"};
  EXPECT_EQ(Flow("Films", of_team).latest_run()->id(), mine);
  const auto error = error_of([&] { client::Run("Films/" + other, of_team); });
  EXPECT_EQ(error.code(), ErrorCode::denied);
  EXPECT_EQ(error.headline(), "Object not in the current namespace");
  EXPECT_NO_THROW(client::Run("Films/" + other, options()));
}

TEST_F(ClientTest, AFlowWithoutARunInTheNamespaceIsRefused) {
  new_run();
  const Options of_nobody{.folder = folder_, .name_space = "user:nobody-at-all"};
  EXPECT_EQ(error_of([&] { Flow("Films", of_nobody); }).code(), ErrorCode::denied);
  EXPECT_TRUE(flows(of_nobody).empty());
  EXPECT_THAT(flows(options()), ElementsAre("Films"));
}

TEST_F(ClientTest, TheNamespaceIsThatOfWhoeverAsks) {
  new_run();
  EXPECT_NO_THROW(Flow("Films", {.folder = folder_}));
}

TEST_F(ClientTest, InsideATaskTheNamespaceIsThatOfItsRun) {
  ::setenv("METAFLOW_TASK_NAMESPACE", "production:x", 1);
  EXPECT_EQ(default_namespace(), "production:x");
  ::setenv("METAFLOW_TASK_NAMESPACE", "", 1);
  EXPECT_EQ(default_namespace(), std::nullopt);
  ::unsetenv("METAFLOW_TASK_NAMESPACE");
}

// Threads

TEST_F(ClientTest, SeveralThreadsReadOneRunWhileItGrows) {
  new_run();
  constexpr int count = 30;
  write_task("start", "1", {{"number", 1}});
  const client::Run run(pathspec(""), options());
  const auto first = run.step("start").task();
  std::atomic<bool> done = false;
  std::atomic<int> torn = 0;
  const auto read = [&] {
    // Once more after the writer is done, so that each has seen all.
    for (bool last = false; !last;) {
      last = done;
      for (const auto& step : run.steps())
        for (const auto& task : step.tasks())
          if (task.finished() && task.artifact<int>("number") != std::stoi(task.id())) ++torn;
      if (first.artifact<int>("number") != 1 || !first.finished()) ++torn;
    }
  };
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 4; ++i) readers.emplace_back(read);
    for (int task = 2; task <= count; ++task) write_task("body", std::to_string(task), {{"number", task}});
    done = true;
  }
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(run.step("body").tasks().size(), count - 1U);
}

// Names

TEST_F(ClientTest, WhatDoesNotExistIsNotFound) {
  new_run();
  write_task("start", "1", {});
  for (const auto& action : std::vector<std::function<void()>>{
           [&] { Flow("Nothing", options()); },
           [&] { client::Run("Films/1", options()); },
           [&] { Step(pathspec("/end"), options()); },
           [&] { Task(pathspec("/start/9"), options()); },
           [&] { Flow("Films", options()).run("1"); },
           [&] { client::Run(pathspec(""), options()).step("end"); },
       })
    EXPECT_EQ(error_of(action).code(), ErrorCode::not_found);
}

TEST_F(ClientTest, APathspecOfTheWrongLengthSaysWhatIsExpected) {
  const auto error = error_of([&] { Task("Films/1/start", options()); });
  EXPECT_EQ(error.code(), ErrorCode::invalid);
  EXPECT_EQ(error.headline(), "Invalid pathspec");
  EXPECT_THAT(error.what(), HasSubstr("Flow/run/step/task: 4 parts"));
  EXPECT_EQ(error_of([&] { client::Run("Films//", options()); }).code(), ErrorCode::invalid);
  EXPECT_EQ(error_of([&] { Flow("", options()); }).code(), ErrorCode::invalid);
}

// Spun tasks

TEST_F(ClientTest, WhatSpinLeftIsShownApart) {
  new_run();
  open_stores(".metaflow_spin");
  const auto spun = new_run();
  write_task("stats", "0", {{"gross", 1.5}});
  write_log("stats", "0", 0, datastore::LogStream::out, "said");
  auto spin_options = inspect_spin(folder_);
  spin_options.name_space = std::nullopt;
  const auto run = Flow("Films", spin_options).latest_run().value();
  EXPECT_EQ(run.id(), spun);
  EXPECT_EQ(run.step("stats").task().artifact<double>("gross"), 1.5);
  EXPECT_EQ(run.step("stats").task().stdout_text(), "said\n");
  EXPECT_NE(Flow("Films", options()).latest_run().value().id(), spun);
}

}  // namespace
}  // namespace metaflow::client
