// No flow: prints what the client finds of one run, as JSON. Artifacts are given as Python's repr.
#include <cstdio>
#include <exception>

#include <metaflow/client.hpp>
#include <metaflow/value.hpp>
#include <nlohmann/json.hpp>

namespace mf = metaflow;
using nlohmann::json;

namespace {

template <class T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json milliseconds(const std::optional<mf::client::Time>& time) {
  return time ? json(time->time_since_epoch().count()) : json(nullptr);
}

json describe(const mf::client::Task& task) {
  json artifacts = json::object(), stored = json::object();
  for (const auto& artifact : task.artifacts()) {
    artifacts[artifact.id()] = artifact.value<mf::Value>().repr();
    stored[artifact.id()] = {artifact.key(), or_null(artifact.size())};
  }
  json described = {{"finished", task.finished()},
                    {"successful", task.successful()},
                    {"attempt", task.current_attempt()},
                    {"stdout", task.stdout_text()},
                    {"stderr", task.stderr_text()},
                    {"artifacts", artifacts},
                    {"stored", stored},
                    {"created_at", milliseconds(task.created_at())},
                    {"finished_at", milliseconds(task.finished_at())},
                    {"stdout_size", task.stdout_size()},
                    {"metadata", task.metadata_dict()},
                    {"parents", task.parent_task_pathspecs()},
                    {"children", task.child_task_pathspecs()},
                    {"origin", or_null(task.origin_pathspec())},
                    {"status", mf::client::status_name(task.status())},
                    {"index", or_null(task.index())},
                    {"stack", json::array()}};
  for (const auto& frame : task.foreach_stack())
    described["stack"].push_back({frame.step, frame.variable, frame.index, frame.value.value_or("")});
  if (const auto failure = task.exception())
    described["exception"] = {
        {"type", failure->type}, {"message", failure->message}, {"stacktrace", failure->stacktrace}};
  return described;
}

json ids(const std::vector<mf::client::Step>& steps) {
  json names = json::array();
  for (const auto& step : steps) names.push_back(step.id());
  return names;
}

json describe(const mf::client::Run& run) {
  json steps = json::object(), graph = json::object(), controls = json::object();
  for (const auto& step : run.steps()) graph[step.id()] = {ids(step.parent_steps()), ids(step.child_steps())};
  for (const auto& step : run.steps()) {
    controls[step.id()] = json::array();
    for (const auto& task : step.control_tasks()) controls[step.id()].push_back(task.id());
  }
  for (const auto& step : run.steps())
    for (const auto& task : step.tasks()) steps[step.id()][task.id()] = describe(task);
  return {{"id", run.id()},
          {"finished", run.finished()},
          {"successful", run.successful()},
          {"tags", run.user_tags()},
          {"steps", steps},
          {"graph", graph},
          {"controls", controls},
          {"status", mf::client::status_name(run.status())},
          {"origin", or_null(run.origin_pathspec())},
          {"finished_at", milliseconds(run.finished_at())},
          {"created_at", run.created_at().time_since_epoch().count()}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    std::puts(describe(mf::client::Run(argv[1])).dump().c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
