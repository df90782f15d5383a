#include "runtime/step_command.hpp"

#include <cstdlib>

#include <metaflow/error.hpp>

#include "runtime/task_codec.hpp"

namespace metaflow::runtime {
namespace {

constexpr const char* created_variable = "METAFLOW_TASK_CREATED_MS";
constexpr const char* folder_variable = "METAFLOW_TASK_FOLDER";
constexpr const char* failure_variable = "METAFLOW_TASK_FAILURE";

}  // namespace

std::vector<std::string> step_arguments(const TaskRequest& request) {
  std::vector<std::string> words = {"step", request.step};
  const auto add = [&](const char* option, std::string value) {
    words.emplace_back(option);
    words.push_back(std::move(value));
  };
  add("--run-id", request.run);
  add("--task-id", request.task);
  add("--input-paths", request.input_paths);
  if (request.split_index) add("--split-index", std::to_string(*request.split_index));
  add("--retry-count", std::to_string(request.attempt));
  add("--max-user-code-retries", std::to_string(request.max_user_code_retries));
  for (const auto& tag : request.tags) add("--tag", tag);
  add("--namespace", request.name_space);
  if (request.num_parallel) {
    add("--ubf-context", request.is_control() ? "ubf_control" : "ubf_task");
    add("--num-parallel", std::to_string(*request.num_parallel));
  }
  if (request.origin_run_id) add("--clone-run-id", *request.origin_run_id);
  return words;
}

std::vector<std::pair<std::string, std::string>> step_environment(const TaskRequest& request) {
  std::vector<std::pair<std::string, std::string>> variables = {{created_variable, std::to_string(request.created_ms)},
                                                                {folder_variable, request.temporary_folder}};
  if (request.failure) variables.emplace_back(failure_variable, encode_failure(*request.failure));
  return variables;
}

void export_to_environment(const TaskRequest& request) {
  for (const auto& [name, value] : step_environment(request)) ::setenv(name.c_str(), value.c_str(), 1);
}

void import_from_environment(TaskRequest& request, std::int64_t now_ms) {
  const char* created = std::getenv(created_variable);
  request.created_ms = created == nullptr ? now_ms : std::strtoll(created, nullptr, 10);
  const char* folder = std::getenv(folder_variable);
  request.temporary_folder = folder == nullptr ? "" : folder;
  ::unsetenv(created_variable);
  ::unsetenv(folder_variable);
  if (const char* failure = std::getenv(failure_variable)) {
    request.failure = decode_failure(failure);
    if (!request.failure)
      throw Error(ErrorCode::usage, std::string(failure_variable) + " does not describe a failure; unset it.");
  }
  ::unsetenv(failure_variable);
}

}  // namespace metaflow::runtime
