// Asks AWS Batch by the client of the engine, and shows the requests that steps lead to: one JSON object a line in, one out.
#include <iostream>
#include <string>
#include <vector>

#include <metaflow/error.hpp>

#include "aws/batch_client.hpp"
#include "base/json.hpp"
#include "batch/job_request.hpp"
#include "batch/job_script.hpp"
#include "batch/outcome.hpp"

namespace {

using metaflow::JsonValue;
namespace aws = metaflow::aws;
namespace batch = metaflow::batch;
namespace model = metaflow::model;

/// Keys that moto takes, as it does with any.
class AnyKeys final : public aws::Credentials {
 public:
  aws::SigningKeys keys() override { return {"AKIDEXAMPLE", "secret"}; }
  bool replace(const aws::SigningKeys&) override { return false; }
};

std::string text(const JsonValue& object, const char* name) { return object.at(name).get<std::string>(); }

batch::TextPairs pairs(const JsonValue& object) {
  batch::TextPairs pairs;
  for (const auto& [name, value] : object.items()) pairs.emplace_back(name, value.get<std::string>());
  return pairs;
}

/// `@batch` with the attributes that are given, on a step called `work`.
model::BatchSettings settings_of(const JsonValue& attributes) {
  model::Step step;
  step.name = "work";
  auto& decorator = step.decorators.emplace_back();
  decorator.name = "batch";
  for (const auto& [name, value] : attributes.items())
    decorator.attributes.emplace_back(name, metaflow::dump_json(value));
  return batch::completed(*model::step_settings(step).batch, {}, step.name);
}

JsonValue definition(const JsonValue& given) {
  const auto platform = given.value("fargate", false) ? batch::Platform::fargate : batch::Platform::ec2;
  return batch::job_definition(settings_of(given.at("batch")), platform);
}

JsonValue submission(const JsonValue& given) {
  const batch::TaskName task{text(given, "user"), "Hello", "1", "work", "2", 0, "test"};
  const batch::Work work{.script = text(given, "script"),
                         .environment = pairs(given.at("environment")),
                         .arguments = given.at("arguments").get<std::vector<std::string>>()};
  batch::Defaults defaults;
  defaults.emits_tags = true;
  return batch::submission(task, settings_of(given.at("batch")), work, text(given, "definition"), defaults);
}

JsonValue shown(const batch::Job& job) {
  JsonValue json = {{"id", job.id}, {"name", job.name}, {"status", job.status}, {"reason", job.status_reason}};
  if (job.status == "FAILED") json["sentence"] = batch::judge(job, {}).sentence;
  if (job.has_ended()) json["line"] = batch::finished_line(job);
  return json;
}

JsonValue answer(batch::Service& service, const JsonValue& given) {
  const auto call = text(given, "call");
  const auto names = given.value("names", std::vector<std::string>());
  auto list = JsonValue::array();
  if (call == "script") return JsonValue(batch::job_script());
  if (call == "definition") return definition(given);
  if (call == "submission") return submission(given);
  if (call == "register") return service.register_definition(definition(given));
  if (call == "find") return JsonValue(service.find_definition(text(given, "name")).value_or(""));
  if (call == "submit") return service.submit(submission(given));
  if (call == "terminate") service.terminate(text(given, "id"), text(given, "reason"));
  if (call == "describe")
    for (const auto& job : service.describe(names)) list.push_back(shown(job));
  if (call == "queues")
    for (const auto& queue : service.queues(names))
      list.push_back({{"name", queue.name}, {"environments", queue.compute_environments}});
  if (call == "environments")
    for (const auto& one : service.compute_environments(names))
      list.push_back({{"name", one.name}, {"type", one.type}, {"status", one.status}});
  return list;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  metaflow::network::HttpClient http;
  AnyKeys keys;
  aws::BatchClient client(http, keys, metaflow::system_clock(), arguments[1], "us-east-1",
                          {.budget = std::chrono::seconds(10)});
  for (std::string line; std::getline(std::cin, line);) {
    try {
      std::cout << metaflow::dump_json(answer(client, metaflow::parse_json(line, "the input"))) << std::endl;
    } catch (const metaflow::Error& error) {
      std::cout << metaflow::dump_json({{"error", error.what()}}) << std::endl;
    }
  }
  return 0;
}
