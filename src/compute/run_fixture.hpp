#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>
#include <metaflow/pickle.hpp>

#include "base/pipes.hpp"
#include "base/random.hpp"
#include "compute/launchers.hpp"
#include "datastore/artifacts.hpp"
#include "runtime/resume.hpp"
#include "runtime/run.hpp"
#include "runtime/task_attempt.hpp"

/// For tests: small flows written by hand, run for real in a temporary folder.
namespace metaflow::compute {

using Body = std::function<StepResult(TaskContext&)>;

/// Steps in the order added; what a body leaves out does nothing.
class HandMadeFlow {
 public:
  explicit HandMadeFlow(std::string name) { program.flow.name = std::move(name); }

  model::Step& step(const std::string& name, model::Transition transition, std::vector<std::string> next,
                    Body body = {}) {
    program.flow.steps.push_back({});
    auto& step = program.flow.steps.back();
    step.name = name;
    step.transition = transition;
    step.next = std::move(next);
    bodies_.push_back(std::move(body));
    program.run_step = [this](std::size_t i, TaskContext& task) {
      return bodies_[i] ? bodies_[i](task) : StepResult();
    };
    return step;
  }
  model::Step& linear(const std::string& name, const std::string& next, Body body = {}) {
    return step(name, model::Transition::linear, {next}, std::move(body));
  }
  model::Step& end(const std::string& name = "end", Body body = {}) {
    return step(name, model::Transition::none, {}, std::move(body));
  }
  model::Step& join(const std::string& name, const std::string& next, Body body = {}) {
    auto& step = linear(name, next, std::move(body));
    step.takes = model::Takes::branches;
    return step;
  }
  model::Step& foreach (const std::string& name, const std::string& next, std::vector<std::string> values) {
    auto& added = step(name, model::Transition::foreach, {next}, [values](TaskContext&) {
      StepResult result;
      result.foreach_values = values;
      return result;
    });
    added.foreach_artifact = "items";
    return added;
  }

  FlowProgram program;

 private:
  std::vector<Body> bodies_;
};

inline void put(TaskContext& task, const std::string& name, const Value& value) {
  std::vector<NamedArtifact> artifacts;
  artifacts.push_back({name, pickle::encode(value)});
  task.store(artifacts);
}

inline Value get(const ArtifactSource& source, const std::string& name) {
  const auto reference = source.find(name);
  return reference ? pickle::decode(source.load(name, *reference)) : Value();
}

/// Runs flows in a folder of its own, and shows what they left.
class RunTest : public testing::Test {
 protected:
  RunTest() {
    objects_ = storage::open_directory_store(folder_ / ".metaflow");
    metadata_ = metadata::open_local_metadata((folder_ / ".metaflow").string());
  }
  ~RunTest() override { std::filesystem::remove_all(folder_); }

  runtime::Stores stores() { return {*objects_, *metadata_}; }

  std::unique_ptr<runtime::Launcher> launcher(const FlowProgram& program) {
    return make_fork_launcher([&](const runtime::TaskRequest& request, const runtime::AwaitNodes& await_nodes) {
      auto outcome = runtime::execute_task(program, request, stores(), system_clock(), await_nodes);
      if (before_report_) before_report_(request);
      return outcome;
    });
  }

  int run(const HandMadeFlow& flow, const runtime::RunOptions& options = {}) {
    const auto tasks = launcher(flow.program);
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = runtime::run_flow(flow.program, options, {}, stores(), *tasks, system_clock());
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    flow_ = flow.program.flow.name;
    run_ = metadata_->latest_run(flow_).value_or("");
    return code;
  }

  /// Of the latest run; afterwards run_ is the new one.
  int resume(const HandMadeFlow& flow, std::optional<std::string> step = {}) {
    const auto tasks = launcher(flow.program);
    const std::string id_file = folder_ / "id";
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    int code = -1;
    try {
      code = runtime::resume_flow(flow.program, {.run_id_file = id_file}, {.origin_run = run_, .step = std::move(step)},
                                  stores(), *tasks, system_clock());
    } catch (const Error& error) {
      message_ = error.what();
    }
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    std::ifstream file(id_file);
    std::getline(file, run_);
    return code;
  }

  datastore::TaskPath path(const std::string& step, const std::string& task) const { return {run_, step, task}; }
  std::vector<std::string> tasks_of(const std::string& step) const {
    std::vector<std::string> ids;
    for (const auto& task : metadata_->tasks(flow_, run_, step)) ids.push_back(task.task);
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  Value artifact(const std::string& step, const std::string& task, const std::string& name) const {
    const datastore::BlobStore blobs(*objects_, flow_);
    const auto table = datastore::TaskStore(*objects_, flow_).read(path(step, task));
    if (!table) return "not done";
    return get(*datastore::make_artifact_source(blobs, flow_, path(step, task), *table), name);
  }
  std::string log(const std::string& step, const std::string& task, datastore::LogStream stream,
                  int attempt = 0) const {
    return datastore::TaskStore(*objects_, flow_)
        .read_log(path(step, task), attempt, datastore::LogSource::runtime, stream);
  }

  std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("run_test_" + random_name(8));
  std::unique_ptr<storage::ObjectStore> objects_;
  std::unique_ptr<metadata::Metadata> metadata_;
  std::string flow_, run_, out_, err_, message_;
  std::function<void(const runtime::TaskRequest&)> before_report_;  ///< in the task's process, once all is stored
};

}  // namespace metaflow::compute
