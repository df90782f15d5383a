#include "metadata/local_records.hpp"

#include <charconv>

#include <metaflow/error.hpp>

namespace metaflow::metadata {
namespace {

constexpr std::string_view attempt_tag = "attempt_id:";

/// The tags in these files are copies that readers ignore: the run's own count.
JsonObject& add_owner(JsonObject& object, const RunRecord& run) {
  return object.text("user_name", run.user)
      .raw("tags", json_list(run.tags))
      .raw("system_tags", json_list(run.system_tags));
}

/// Text of an optional member; empty when it is missing or null.
std::string optional_text(const JsonValue& object, const char* name, const std::string& file) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return {};
  return json_member<std::string>(object, name, file);
}

std::set<std::string> optional_set(const JsonValue& object, const char* name, const std::string& file) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return {};
  try {
    return found->get<std::set<std::string>>();
  } catch (const JsonValue::exception&) {
    throw Error(ErrorCode::corrupt, "'" + file + "' is damaged: '" + name + "' is no list of texts");
  }
}

std::optional<int> attempt_of(const std::set<std::string>& tags) {
  for (const auto& tag : tags) {
    int attempt = 0;
    if (!tag.starts_with(attempt_tag)) continue;
    const auto* const end = tag.data() + tag.size();
    const auto [digits_end, problem] = std::from_chars(tag.data() + attempt_tag.size(), end, attempt);
    if (problem == std::errc() && digits_end == end) return attempt;
  }
  return std::nullopt;
}

JsonValue parse_object(std::string_view text, const std::string& file) {
  auto object = parse_json(text, file);
  if (!object.is_object()) throw Error(ErrorCode::corrupt, "'" + file + "' is damaged: it holds no JSON object");
  return object;
}

/// Within what can be told as a date.
std::int64_t created_in(const JsonValue& object, const std::string& file) {
  constexpr std::int64_t end_of_year_9999 = 253'402'300'799'999;
  const auto created = json_member<std::int64_t>(object, "ts_epoch", file);
  if (created < 0 || created > end_of_year_9999)
    throw Error(ErrorCode::corrupt, "'" + file + "' is damaged: 'ts_epoch' is no time in milliseconds");
  return created;
}

}  // namespace

std::string flow_text(const std::string& flow, std::int64_t created_ms) {
  return JsonObject().text("flow_id", flow).number("ts_epoch", created_ms).take();
}

std::string run_text(const RunRecord& run) {
  JsonObject object;
  object.text("run_number", run.run).text("flow_id", run.flow);
  return add_owner(object, run).number("ts_epoch", run.created_ms).take();
}

std::string child_text(const RunRecord& run, const Place& place, std::int64_t created_ms) {
  JsonObject object;
  object.text("run_number", run.run).text("step_name", place.step).text("flow_id", run.flow);
  if (!place.task.empty()) object.text("task_id", place.task);
  return add_owner(object, run).number("ts_epoch", created_ms).take();
}

std::string datum_text(const RunRecord& run, const Place& place, const Datum& datum) {
  JsonObject object;
  object.text("flow_id", run.flow).text("run_number", run.run).text("step_name", place.step);
  object.text("task_id", place.task).text("field_name", datum.field);
  object.text("type", datum.type.empty() ? datum.field : datum.type);
  if (datum.json.empty()) {
    object.text("value", datum.value);
  } else {
    object.raw("value", datum.json);
  }
  const auto tag = datum.attempt ? "[\"attempt_id:" + std::to_string(*datum.attempt) + "\"]" : "[]";
  return object.raw("tags", tag).text("user_name", run.user).number("ts_epoch", datum.created_ms).take();
}

PointerTexts::PointerTexts(const RunRecord& run, const Place& place, int attempt, const std::string& ds_type,
                           const std::string& ds_root, std::int64_t created_ms) {
  JsonObject start, end;
  start.text("run_number", run.run).text("step_name", place.step).text("task_id", place.task);
  start_ = start.number("attempt_id", attempt).text("type", "metaflow.artifact").take();
  start_.back() = ',';
  end.text("ds_type", ds_type).text("location", ":root:" + ds_root).text("flow_id", run.flow);
  end_ = add_owner(end, run).number("ts_epoch", created_ms).take();
  end_.replace(0, 1, ", ");
}

std::string PointerTexts::text(std::string_view name, const ArtifactReference& reference) const {
  auto own = JsonObject().text("name", name).text("content_type", reference.encoding).text("sha", reference.key).take();
  own.front() = ' ';
  own.pop_back();
  return start_ + own + end_;
}

std::int64_t parse_created(std::string_view text, const std::string& file) {
  return created_in(parse_object(text, file), file);
}

RunRecord parse_run(std::string_view text, const Place& place, const std::string& file) {
  const auto object = parse_object(text, file);
  return {.flow = place.flow,
          .run = place.run,
          .user = optional_text(object, "user_name", file),
          .tags = optional_set(object, "tags", file),
          .system_tags = optional_set(object, "system_tags", file),
          .created_ms = created_in(object, file)};
}

Datum parse_datum(std::string_view text, const std::string& file) {
  const auto object = parse_object(text, file);
  Datum datum{.field = json_member<std::string>(object, "field_name", file),
              .value = {},
              .type = optional_text(object, "type", file),
              .attempt = attempt_of(optional_set(object, "tags", file)),
              .created_ms = created_in(object, file)};
  const auto value = json_member<JsonValue>(object, "value", file);
  if (value.is_string()) {
    datum.value = value.get<std::string>();
  } else {
    datum.json = dump_json(value);
  }
  return datum;
}

ArtifactRecord parse_pointer(std::string_view text, int attempt, const std::string& file) {
  const auto object = parse_object(text, file);
  const auto text_of = [&](const char* name) { return json_member<std::string>(object, name, file); };
  // Field by field: GCC 12 frees the texts of a nested braced list twice when a later initialiser throws.
  ArtifactRecord record;
  record.name = text_of("name");
  record.reference.key = text_of("sha");
  record.reference.encoding = text_of("content_type");
  record.ds_type = text_of("ds_type");
  record.location = text_of("location");
  record.attempt = attempt;
  record.created_ms = created_in(object, file);
  return record;
}

}  // namespace metaflow::metadata
