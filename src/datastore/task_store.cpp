#include "datastore/task_store.hpp"

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "base/json.hpp"

namespace metaflow::datastore {
namespace {

Pieces pieces(std::string text) {
  Pieces pieces;
  pieces.own(std::move(text));
  return pieces;
}

/// `{"datastore": "local", "version": "1.0", "attempt": 0, "objects": {name: key}, "info": {name: {...}}}`
std::string describe(const ArtifactTable& artifacts, std::string_view store_type, int attempt) {
  JsonObject objects, info;
  for (const auto& [name, reference] : artifacts) {
    objects.text(name, reference.key);
    info.raw(name, JsonObject()
                       .number("size", static_cast<std::int64_t>(reference.size))
                       .text("type", reference.type)
                       .text("encoding", reference.encoding)
                       .raw("serializer_info", R"({"source": "metaflow"})")
                       .take());
  }
  return JsonObject()
      .text("datastore", store_type)
      .text("version", "1.0")
      .number("attempt", attempt)
      .raw("objects", objects.take())
      .raw("info", info.take())
      .take();
}

ArtifactReference parse_reference(const std::string& key, const JsonValue& info, const std::string& file) {
  ArtifactReference reference{.key = key, .type = "", .size = 0, .encoding = "gzip+pickle-v2"};
  if (!info.is_object()) return reference;
  // A type that is null, or a size missing, comes from older writers; what the value is shows its pickle.
  if (info.contains("type") && info["type"].is_string()) reference.type = json_member<std::string>(info, "type", file);
  if (info.contains("size")) reference.size = static_cast<std::uint64_t>(json_member<std::int64_t>(info, "size", file));
  if (info.contains("encoding")) reference.encoding = json_member<std::string>(info, "encoding", file);
  return reference;
}

ArtifactTable parse_table(std::string_view text, const std::string& file) {
  const auto data = parse_json(text, file);
  const auto objects = json_member<JsonValue>(data, "objects", file);
  const auto info = data.contains("info") ? data["info"] : JsonValue::object();
  if (!objects.is_object()) throw Error(ErrorCode::corrupt, "'" + file + "' is damaged: 'objects' has the wrong type");
  ArtifactTable table;
  for (const auto& object : objects.items()) {
    const auto& name = object.key();
    const auto about = info.is_object() && info.contains(name) ? info[name] : JsonValue();
    table.emplace(name, parse_reference(json_member<std::string>(objects, name.c_str(), file), about, file));
  }
  return table;
}

constexpr std::string_view file_name(LogSource source, LogStream stream) {
  if (source == LogSource::runtime) return stream == LogStream::out ? "runtime_stdout.log" : "runtime_stderr.log";
  return stream == LogStream::out ? "task_stdout.log" : "task_stderr.log";
}

}  // namespace

TaskPath parse_task_path(std::string_view text) {
  const auto first = text.find('/');
  const auto second = first == text.npos ? first : text.find('/', first + 1);
  TaskPath path;
  if (second != text.npos) {
    path = {std::string(text.substr(0, first)), std::string(text.substr(first + 1, second - first - 1)),
            std::string(text.substr(second + 1))};
  }
  if (path.run.empty() || path.step.empty() || path.task.empty() || path.task.find('/') != std::string::npos) {
    throw Error(ErrorCode::invalid, "'" + std::string(text) + "' does not name a task; write run/step/task");
  }
  return path;
}

std::string TaskStore::key(const TaskPath& task, int attempt, std::string_view file) const {
  return fmt::format("{}/{}/{}/{}/{}.{}", flow_, task.run, task.step, task.task, attempt, file);
}

void TaskStore::start_attempt(const TaskPath& task, int attempt, double seconds_since_epoch) {
  // Only its existence is asked, so that a reader who comes too early loses nothing.
  store_.put(key(task, attempt, "attempt.json"), pieces(fmt::format(R"({{"time": {}}})", seconds_since_epoch)),
             storage::Visibility::plain);
}

void TaskStore::finish(const TaskPath& task, int attempt, const ArtifactTable& artifacts) {
  // Nobody reads data.json before DONE.lock exists, and that is made only once data.json is complete.
  store_.put(key(task, attempt, "data.json"), pieces(describe(artifacts, store_.type(), attempt)),
             storage::Visibility::plain);
  store_.put(key(task, attempt, "DONE.lock"), pieces("\"\""), storage::Visibility::plain);
}

std::optional<int> TaskStore::latest_attempt(const TaskPath& task) const {
  // Attempts are contiguous once one is found; a first one may be missing when a scheduler died early.
  std::optional<int> latest;
  for (int attempt = 0; attempt < max_attempts; ++attempt) {
    if (store_.has(key(task, attempt, "attempt.json"))) {
      latest = attempt;
    } else if (latest) {
      break;
    }
  }
  return latest;
}

std::optional<ArtifactTable> TaskStore::read(const TaskPath& task) const {
  const auto attempt = latest_attempt(task);
  if (!attempt) return std::nullopt;
  return read(task, *attempt);
}

std::optional<ArtifactTable> TaskStore::read(const TaskPath& task, int attempt) const {
  if (!store_.has(key(task, attempt, "DONE.lock"))) return std::nullopt;
  const auto file = key(task, attempt, "data.json");
  const auto shown = store_.root() + '/' + file;
  const auto bytes = store_.get(file);
  if (!bytes) throw Error(ErrorCode::corrupt, "'" + shown + "' is missing, though the attempt is marked as done");
  return parse_table(bytes->text(), shown);
}

std::string TaskStore::log_key(const TaskPath& task, int attempt, LogSource source, LogStream stream) const {
  return key(task, attempt, file_name(source, stream));
}

void TaskStore::append_log(const TaskPath& task, int attempt, LogSource source, LogStream stream,
                           std::string_view lines) {
  store_.append(log_key(task, attempt, source, stream), lines);
}

std::string TaskStore::read_log(const TaskPath& task, int attempt, LogSource source, LogStream stream) const {
  const auto bytes = store_.get(log_key(task, attempt, source, stream));
  return bytes ? std::string(bytes->text()) : std::string();
}

void TaskStore::replace_log(const TaskPath& task, int attempt, LogSource source, LogStream stream,
                            std::string_view lines) {
  store_.put(log_key(task, attempt, source, stream), pieces(std::string(lines)));
}

}  // namespace metaflow::datastore
