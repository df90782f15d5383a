#pragma once

#include "aws/json_service.hpp"
#include "batch/service.hpp"

namespace metaflow::aws {

/// AWS Batch over the network.
class BatchClient final : public batch::Service {
 public:
  /// `endpoint` as of custom_endpoint() or aws_endpoint(). References outlive it.
  BatchClient(network::HttpClient& http, Credentials& credentials, Clock& clock, std::string endpoint,
              std::string region, network::RetryLimits limits = {});

  std::optional<std::string> find_definition(const std::string& name) override;
  std::string register_definition(const JsonValue& request) override;
  std::string submit(const JsonValue& request) override;
  std::vector<batch::Job> describe(std::span<const std::string> ids) override;
  void terminate(const std::string& id, const std::string& reason) override;
  std::vector<batch::JobQueue> queues(std::span<const std::string> names) override;
  std::vector<batch::ComputeEnvironment> compute_environments(std::span<const std::string> names) override;

 private:
  std::optional<std::string> find_job(const std::string& queue, const std::string& name);
  std::vector<JsonValue> all_pages(const JsonCall& call, JsonValue request, const char* member);

  JsonService service_;
};

}  // namespace metaflow::aws
