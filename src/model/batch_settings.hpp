#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/attributes.hpp"

namespace metaflow::model {

/// `@batch`: how the tasks of a step run on AWS Batch. Empty texts and missing numbers: what the configuration or AWS says.
struct BatchSettings {
  /// Of one container; the larger of what `@batch` and `@resources` say.
  double cpu = 1, gpu = 0, memory_mb = 4096;
  std::string image = {}, queue = {}, iam_role = {}, execution_role = {};
  std::optional<std::int64_t> shared_memory_mb = {}, max_swap_mb = {}, swappiness = {};
  std::int64_t inferentia = 0, efa = 0;  ///< how many of these devices
  std::vector<std::string> host_volumes = {}, efs_volumes = {};
  bool use_tmpfs = false;
  bool tmpfs_tempdir = true;                       ///< temporary files go there
  std::optional<std::int64_t> tmpfs_size_mb = {};  ///< half of the memory without
  std::string tmpfs_path = "/metaflow_temp";
  Variables tags = {};
  std::optional<std::int64_t> ephemeral_storage_gib = {};
  std::string log_driver = {};
  Variables log_options = {};
  std::string executable = {};  ///< of flows in Python: its interpreter
  bool privileged = false;
};

struct ResourceSettings;

/// Reads `@batch` together with the `@resources` of the same step, if any. Error(invalid) for what makes no sense.
BatchSettings batch_settings(const Attributes& attributes, const ResourceSettings* resources);

/// `@batch` with the defaults of its attributes.
Decorator batch_decorator();

/// What is wrong with a tag of AWS, to be put behind its name; nothing when it is fine.
std::optional<std::string> mistake_in_tag(std::string_view name, std::string_view value);

}  // namespace metaflow::model
