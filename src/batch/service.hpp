#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.hpp"

/// AWS Batch as the rest of the engine sees it: no network in here.
namespace metaflow::batch {

/// One try of a job at running its container.
struct JobAttempt {
  std::optional<int> exit_code = {};
  std::string reason = {};         ///< of the container, as `OutOfMemoryError: …`
  std::string status_reason = {};  ///< as `Host EC2 (instance i-…) terminated.`
  std::string log_stream = {};     ///< in CloudWatch Logs
};

/// What Batch says of a job; texts are empty where it says nothing.
struct Job {
  std::string id = {}, name = {};
  std::string status = {};  ///< SUBMITTED PENDING RUNNABLE STARTING RUNNING SUCCEEDED FAILED
  std::string status_reason = {};
  std::vector<JobAttempt> attempts = {};
  std::optional<int> exit_code = {};  ///< of its container
  std::string reason = {};            ///< of its container
  std::string log_stream = {};
  bool is_cancelled = false, is_terminated = false;

  bool has_ended() const { return status == "SUCCEEDED" || status == "FAILED"; }
};

struct JobQueue {
  std::string name, arn;
  std::string state;                                   ///< ENABLED DISABLED
  std::string status;                                  ///< VALID INVALID …
  std::vector<std::string> compute_environments = {};  ///< ARNs, the one that is tried first in front
};

struct ComputeEnvironment {
  std::string name, arn;
  std::string state, status, status_reason = {};
  /// EC2 SPOT FARGATE FARGATE_SPOT; empty for one that AWS does not manage.
  std::string type = {};

  bool is_fargate() const { return type.starts_with("FARGATE"); }
};

/// The calls of AWS Batch. All wait for the answer, and throw Error with a sentence that names call and cause. Safe to use from several threads.
class Service {
 public:
  virtual ~Service() = default;

  /// ARN of the active job definition of that name; nothing when there is none.
  virtual std::optional<std::string> find_definition(const std::string& name) = 0;
  /// Takes the request of RegisterJobDefinition; the ARN of what it made.
  virtual std::string register_definition(const JsonValue& request) = 0;
  /// Takes the request of SubmitJob, whose jobName nothing else uses: so a job whose answer was lost is found again, and not submitted twice.
  /// The id of the job.
  virtual std::string submit(const JsonValue& request) = 0;
  /// As many as are asked for, a hundred in each call; in any order, and without those that Batch does not know, or not yet.
  virtual std::vector<Job> describe(std::span<const std::string> ids) = 0;
  /// Ends a job wherever it is; one that has ended stays as it is.
  virtual void terminate(const std::string& id, const std::string& reason) = 0;
  /// By name or ARN; without any all of the account. Those that do not exist are left out.
  virtual std::vector<JobQueue> queues(std::span<const std::string> names) = 0;
  virtual std::vector<ComputeEnvironment> compute_environments(std::span<const std::string> names) = 0;
};

}  // namespace metaflow::batch
