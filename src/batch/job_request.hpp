#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "model/step_settings.hpp"

/// From a step and its task to what AWS Batch is asked for. All pure.
namespace metaflow::batch {

using TextPairs = std::vector<std::pair<std::string, std::string>>;

/// The machines behind a queue.
enum class Platform { ec2, fargate };

/// What the configuration says where `@batch` says nothing; empty where it is silent too.
struct Defaults {
  std::string queue = {}, image = {}, registry = {}, iam_role = {}, execution_role = {};
  bool emits_tags = false;
  TextPairs tags = {};
  std::int64_t runtime_limit_s = 432'000;
};

/// The settings of a step with all that they leave open filled in. Error(invalid) that names the step and the setting when an image or a
/// role is missing. Without a queue any of the account will do.
model::BatchSettings completed(model::BatchSettings settings, const Defaults& defaults, const std::string& step);

/// RegisterJobDefinition. Its name depends on all it says, so that definitions are found again and shared. Error(invalid) for what the
/// platform cannot do.
JsonValue job_definition(const model::BatchSettings& settings, Platform platform);

/// Whose job it is.
struct TaskName {
  std::string user, flow, run, step, task;
  int attempt = 0;
  std::string version = {};  ///< of the engine
};

/// `user-flow-run-step-task-attempt` as Batch takes it: 128 characters at most, of which the last tell long names apart.
std::string job_name(const TaskName& task);

/// What a job runs.
struct Work {
  std::string script;  ///< for `sh -c`
  TextPairs environment = {};
  std::vector<std::string> arguments = {};  ///< `$1` … of the script
  std::optional<std::chrono::milliseconds> timeout = {};
};

/// SubmitJob. Error(invalid) that names the longest variables when command and environment are longer than Batch takes.
JsonValue submission(const TaskName& task, const model::BatchSettings& settings, const Work& work,
                     const std::string& definition_arn, const Defaults& defaults);

/// `2`, `0.25`: without needless digits.
std::string number_text(double number);

}  // namespace metaflow::batch
