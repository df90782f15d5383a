#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "runtime/launcher.hpp"

/// Requests and outcomes as JSON, for the way between scheduler and task process (docs/formats/fork-server.md).
namespace metaflow::runtime {

nlohmann::json to_json(const TaskRequest& request);
/// Error(corrupt) for anything to_json did not write.
TaskRequest task_request(const nlohmann::json& json);

std::string encode_failure(const Failure& failure);
/// Nothing for anything encode_failure did not write.
std::optional<Failure> decode_failure(std::string_view text);

std::string encode_outcome(const TaskOutcome& outcome);
/// Nothing unless `text` is a whole outcome: a task may die while it writes one.
std::optional<TaskOutcome> decode_outcome(std::string_view text);

}  // namespace metaflow::runtime
