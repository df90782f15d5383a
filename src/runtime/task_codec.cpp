#include "runtime/task_codec.hpp"

#include <metaflow/error.hpp>

namespace metaflow::runtime {
namespace {

using Json = nlohmann::json;

template <class T>
void put(Json& json, const char* key, const std::optional<T>& value) {
  if (value) json[key] = *value;
}

/// get() would make an integer of any number.
std::int64_t integer(const Json& value) {
  if (!value.is_number_integer()) throw Error(ErrorCode::corrupt, "no integer is where one should be");
  return value.get<std::int64_t>();
}

std::optional<std::int64_t> optional_integer(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() ? std::nullopt : std::optional(integer(*found));
}

std::optional<std::string> optional_text(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() ? std::nullopt : std::optional(found->get<std::string>());
}

Json to_json(const Failure& failure) {
  return {{"type", failure.type},
          {"message", failure.message},
          {"stacktrace", failure.stacktrace},
          {"headline", failure.headline}};
}

Failure failure_of(const Json& json) {
  return {json.at("type"), json.at("message"), json.at("stacktrace"), json.at("headline")};
}

}  // namespace

Json to_json(const TaskRequest& request) {
  Json json = {{"step", request.step},
               {"run", request.run},
               {"task", request.task},
               {"attempt", request.attempt},
               {"max_user_code_retries", request.max_user_code_retries},
               {"input_paths", request.input_paths},
               {"created_ms", request.created_ms},
               {"namespace", request.name_space},
               {"tags", request.tags}};
  put(json, "split_index", request.split_index);
  put(json, "split_value", request.split_value);
  put(json, "split_count", request.split_count);
  put(json, "num_parallel", request.num_parallel);
  put(json, "origin_run_id", request.origin_run_id);
  if (request.failure) json["failure"] = to_json(*request.failure);
  return json;
}

TaskRequest task_request(const Json& json) {
  try {
    TaskRequest request{.step = json.at("step"),
                        .run = json.at("run"),
                        .task = json.at("task"),
                        .attempt = static_cast<int>(integer(json.at("attempt"))),
                        .max_user_code_retries = static_cast<int>(integer(json.at("max_user_code_retries"))),
                        .input_paths = json.at("input_paths"),
                        .split_index = optional_integer(json, "split_index"),
                        .split_value = optional_text(json, "split_value"),
                        .split_count = optional_integer(json, "split_count"),
                        .num_parallel = optional_integer(json, "num_parallel"),
                        .created_ms = integer(json.at("created_ms")),
                        .origin_run_id = optional_text(json, "origin_run_id"),
                        .name_space = json.at("namespace"),
                        .tags = json.at("tags")};
    if (const auto failure = json.find("failure"); failure != json.end()) request.failure = failure_of(*failure);
    return request;
  } catch (const Json::exception&) {
    throw Error(ErrorCode::corrupt, "the request for a task is damaged");
  }
}

std::string encode_failure(const Failure& failure) {
  return to_json(failure).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<Failure> decode_failure(std::string_view text) {
  try {
    return failure_of(Json::parse(text));
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::string encode_outcome(const TaskOutcome& outcome) {
  Json json = {{"succeeded", outcome.succeeded}, {"next", outcome.next}};
  if (!outcome.foreach_values.empty()) json["foreach_values"] = outcome.foreach_values;
  if (outcome.num_parallel > 0) json["num_parallel"] = outcome.num_parallel;
  if (outcome.failure) json["failure"] = to_json(*outcome.failure);
  // Messages of exceptions may hold any bytes.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<TaskOutcome> decode_outcome(std::string_view text) {
  try {
    const auto json = Json::parse(text);
    TaskOutcome outcome{.succeeded = json.at("succeeded"), .next = json.at("next")};
    if (const auto values = json.find("foreach_values"); values != json.end()) values->get_to(outcome.foreach_values);
    outcome.num_parallel = json.value("num_parallel", std::int64_t{0});
    if (const auto failure = json.find("failure"); failure != json.end()) outcome.failure = failure_of(*failure);
    return outcome;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

}  // namespace metaflow::runtime
