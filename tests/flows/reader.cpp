// No flow: prints what the client finds of one run, as JSON. Artifacts are given as Python's repr.
#include <cstdio>
#include <exception>

#include <metaflow/client.hpp>
#include <metaflow/value.hpp>
#include <nlohmann/json.hpp>

namespace mf = metaflow;
using nlohmann::json;

namespace {

json describe(const mf::client::Task& task) {
  json artifacts = json::object();
  for (const auto& name : task.artifact_names()) artifacts[name] = task.artifact<mf::Value>(name).value().repr();
  json described = {{"finished", task.finished()},
                    {"successful", task.successful()},
                    {"attempt", task.current_attempt()},
                    {"stdout", task.stdout_text()},
                    {"stderr", task.stderr_text()},
                    {"artifacts", artifacts},
                    {"index", task.index() ? json(*task.index()) : json(nullptr)},
                    {"stack", json::array()}};
  for (const auto& frame : task.foreach_stack())
    described["stack"].push_back({frame.step, frame.variable, frame.index, frame.value.value_or("")});
  if (const auto failure = task.exception())
    described["exception"] = {
        {"type", failure->type}, {"message", failure->message}, {"stacktrace", failure->stacktrace}};
  return described;
}

json describe(const mf::client::Run& run) {
  json steps = json::object();
  for (const auto& step : run.steps())
    for (const auto& task : step.tasks()) steps[step.id()][task.id()] = describe(task);
  return {{"id", run.id()},
          {"finished", run.finished()},
          {"successful", run.successful()},
          {"tags", run.user_tags()},
          {"steps", steps},
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
