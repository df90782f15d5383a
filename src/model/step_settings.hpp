#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <metaflow/model.hpp>

#include "model/batch_settings.hpp"

namespace metaflow::model {

/// `@catch`
struct CatchSettings {
  std::string variable;  ///< the artifact that takes the exception; empty: none does
  bool print_exception = true;
};

/// `@resources`: what a step asks of the machine it runs on. A task on this machine takes what there is.
struct ResourceSettings {
  double cpu = 1, memory_mb = 4096;
  std::optional<double> gpu = {}, disk_mb = {}, shared_memory_mb = {};
};

/// One source of `@secrets`, of backend `inline`: the only one that is there.
struct SecretSource {
  std::string id;
  Variables variables;
};

/// What the decorators of a step ask for; the defaults are those of a step without any.
struct StepSettings {
  int retries = 0;  ///< attempts of the body after the first one, 0 to 4
  std::chrono::milliseconds retry_delay{0};
  std::optional<std::chrono::milliseconds> timeout = {};  ///< more than zero
  std::optional<CatchSettings> caught = {};
  Variables environment = {};
  std::optional<ResourceSettings> resources = {};
  std::vector<SecretSource> secrets = {};
  bool secrets_override = false;            ///< secrets may replace variables that are set already
  bool parallel = false;                    ///< its tasks are the nodes of a gang
  std::optional<BatchSettings> batch = {};  ///< its tasks run on AWS Batch
};

/// Reads the decorators of a step; others than those of known_decorators() are passed over. Throws Error(invalid) for a
/// value that makes no sense, for a decorator that stands twice, and for one that this step cannot have.
StepSettings step_settings(const Step& step);

/// The decorators that step_settings() understands, by name, each with its attributes and their defaults.
const std::vector<Decorator>& known_decorators();

}  // namespace metaflow::model
