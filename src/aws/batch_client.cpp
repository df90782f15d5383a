#include "aws/batch_client.hpp"

#include <algorithm>

#include <metaflow/error.hpp>

namespace metaflow::aws {
namespace {

constexpr JsonCall describe_definitions{"DescribeJobDefinitions", "/v1/describejobdefinitions"};
// Made twice it is two revisions of the same, which does no harm.
constexpr JsonCall register_job_definition{"RegisterJobDefinition", "/v1/registerjobdefinition"};
constexpr JsonCall submit_job{"SubmitJob", "/v1/submitjob", Repeat::if_not_done};
constexpr JsonCall list_jobs{"ListJobs", "/v1/listjobs"};
constexpr JsonCall describe_jobs{"DescribeJobs", "/v1/describejobs"};
constexpr JsonCall terminate_job{"TerminateJob", "/v1/terminatejob"};
constexpr JsonCall describe_queues{"DescribeJobQueues", "/v1/describejobqueues"};
constexpr JsonCall describe_environments{"DescribeComputeEnvironments", "/v1/describecomputeenvironments"};

constexpr std::size_t most_ids = 100;

/// A member that may be missing, or null.
std::string text(const JsonValue& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<int> number(const JsonValue& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? std::optional(found->get<int>()) : std::nullopt;
}

bool flag(const JsonValue& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

/// An object, or an empty one.
JsonValue part(const JsonValue& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : JsonValue::object();
}

JsonValue parts(const JsonValue& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_array() ? *found : JsonValue::array();
}

batch::JobAttempt attempt_of(const JsonValue& json) {
  const auto container = part(json, "container");
  return {.exit_code = number(container, "exitCode"),
          .reason = text(container, "reason"),
          .status_reason = text(json, "statusReason"),
          .log_stream = text(container, "logStreamName")};
}

batch::Job job_of(const JsonValue& json) {
  const auto container = part(json, "container");
  batch::Job job{.id = text(json, "jobId"),
                 .name = text(json, "jobName"),
                 .status = text(json, "status"),
                 .status_reason = text(json, "statusReason"),
                 .exit_code = number(container, "exitCode"),
                 .reason = text(container, "reason"),
                 .log_stream = text(container, "logStreamName"),
                 .is_cancelled = flag(json, "isCancelled"),
                 .is_terminated = flag(json, "isTerminated")};
  for (const auto& attempt : parts(json, "attempts")) job.attempts.push_back(attempt_of(attempt));
  return job;
}

batch::JobQueue queue_of(const JsonValue& json) {
  std::vector<std::pair<int, std::string>> order;
  for (const auto& one : parts(json, "computeEnvironmentOrder"))
    order.emplace_back(number(one, "order").value_or(0), text(one, "computeEnvironment"));
  std::ranges::stable_sort(order, {}, &std::pair<int, std::string>::first);
  batch::JobQueue queue{.name = text(json, "jobQueueName"),
                        .arn = text(json, "jobQueueArn"),
                        .state = text(json, "state"),
                        .status = text(json, "status")};
  for (auto& [place, environment] : order) queue.compute_environments.push_back(std::move(environment));
  return queue;
}

batch::ComputeEnvironment environment_of(const JsonValue& json) {
  return {.name = text(json, "computeEnvironmentName"),
          .arn = text(json, "computeEnvironmentArn"),
          .state = text(json, "state"),
          .status = text(json, "status"),
          .status_reason = text(json, "statusReason"),
          .type = text(part(json, "computeResources"), "type")};
}

JsonValue named(const char* member, std::span<const std::string> names) {
  auto request = JsonValue::object();
  if (!names.empty()) request[member] = std::vector<std::string>(names.begin(), names.end());
  return request;
}

}  // namespace

BatchClient::BatchClient(network::HttpClient& http, Credentials& credentials, Clock& clock, std::string endpoint,
                         std::string region, network::RetryLimits limits)
    : service_(http, credentials, clock,
               {.title = "AWS Batch",
                .endpoint = std::move(endpoint),
                .scope = {std::move(region), "batch"},
                .limits = limits}) {}

std::vector<JsonValue> BatchClient::all_pages(const JsonCall& call, JsonValue request, const char* member) {
  std::vector<JsonValue> all;
  while (true) {
    const auto answer = service_.call(call, request);
    for (const auto& one : parts(answer, member)) all.push_back(one);
    const auto next = text(answer, "nextToken");
    if (next.empty()) return all;
    request["nextToken"] = next;
  }
}

std::optional<std::string> BatchClient::find_definition(const std::string& name) {
  const auto answer = service_.call(describe_definitions, {{"jobDefinitionName", name}, {"status", "ACTIVE"}});
  const auto found = parts(answer, "jobDefinitions");
  return found.empty() ? std::nullopt : std::optional(text(found.front(), "jobDefinitionArn"));
}

std::string BatchClient::register_definition(const JsonValue& request) {
  return json_member<std::string>(service_.call(register_job_definition, request), "jobDefinitionArn",
                                  "the answer of AWS Batch to RegisterJobDefinition");
}

std::string BatchClient::submit(const JsonValue& request) {
  for (bool is_last = false;; is_last = true) {
    try {
      return json_member<std::string>(service_.call(submit_job, request), "jobId",
                                      "the answer of AWS Batch to SubmitJob");
    } catch (const Error& error) {
      if (!error.retryable()) throw;
      // The job may be there although nobody told us.
      if (auto id = find_job(request.at("jobQueue"), request.at("jobName"))) return *id;
      if (is_last) throw;
    }
  }
}

std::optional<std::string> BatchClient::find_job(const std::string& queue, const std::string& name) {
  const JsonValue by_name = {{"name", "JOB_NAME"}, {"values", {name}}};
  const auto found =
      all_pages(list_jobs, {{"jobQueue", queue}, {"filters", JsonValue::array({by_name})}}, "jobSummaryList");
  return found.empty() ? std::nullopt : std::optional(text(found.front(), "jobId"));
}

std::vector<batch::Job> BatchClient::describe(std::span<const std::string> ids) {
  std::vector<JsonValue> requests;
  for (std::size_t i = 0; i < ids.size(); i += most_ids)
    requests.push_back(named("jobs", ids.subspan(i, std::min(most_ids, ids.size() - i))));
  std::vector<batch::Job> jobs;
  for (const auto& answer : service_.call_all(describe_jobs, requests))
    for (const auto& json : parts(answer, "jobs")) jobs.push_back(job_of(json));
  return jobs;
}

void BatchClient::terminate(const std::string& id, const std::string& reason) {
  service_.call(terminate_job, {{"jobId", id}, {"reason", reason}});
}

std::vector<batch::JobQueue> BatchClient::queues(std::span<const std::string> names) {
  std::vector<batch::JobQueue> queues;
  for (const auto& json : all_pages(describe_queues, named("jobQueues", names), "jobQueues"))
    queues.push_back(queue_of(json));
  return queues;
}

std::vector<batch::ComputeEnvironment> BatchClient::compute_environments(std::span<const std::string> names) {
  std::vector<batch::ComputeEnvironment> environments;
  for (const auto& json : all_pages(describe_environments, named("computeEnvironments", names), "computeEnvironments"))
    environments.push_back(environment_of(json));
  return environments;
}

}  // namespace metaflow::aws
