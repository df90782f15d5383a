#include "capi/task.hpp"

#include <fmt/format.h>

#include "base/json.hpp"
#include "capi/guard.hpp"
#include "capi/json_reader.hpp"

namespace metaflow::capi {
namespace {

std::string parallel_json(const std::optional<Parallel>& parallel) {
  if (!parallel) return "null";
  return JsonObject()
      .text("main_ip", parallel->main_ip)
      .number("num_nodes", parallel->num_nodes)
      .number("node_index", parallel->node_index)
      .text("control_task_id", parallel->control_task_id)
      .take();
}

std::string current_json(const Current& current) {
  JsonObject object;
  object.text("flow_name", current.flow_name)
      .text("run_id", current.run_id)
      .text("step_name", current.step_name)
      .text("task_id", current.task_id)
      .number("retry_count", current.retry_count)
      .raw("origin_run_id", text_or_null(current.origin_run_id))
      .text("user_name", current.user_name)
      .raw("namespace", current.name_space.empty() ? "null" : text_or_null(current.name_space))
      .raw("tags", json_list(current.tags))
      .raw("foreach_stack", foreach_stack_json(current.foreach_stack))
      .raw("parallel", parallel_json(current.parallel))
      .number("max_user_code_retries", current.max_user_code_retries)
      .raw("is_last_attempt", current.retry_count >= current.max_user_code_retries ? "true" : "false");
  return object.take();
}

const ArtifactSource& source_of(const TaskContext& context, std::size_t source) {
  if (source == METAFLOW_INHERITED) return context.inherited();
  if (source < context.input_count()) return context.input(source);
  throw Error(ErrorCode::invalid, fmt::format("There is no source {}: this task has {} inputs, counted from 0.", source,
                                              context.input_count()));
}

std::string source_json(const ArtifactSource& source) {
  JsonObject artifacts;
  for (const auto& name : source.names()) {
    const auto reference = source.find(name).value();
    artifacts.raw(name, JsonObject()
                            .text("key", reference.key)
                            .text("type", reference.type)
                            .number("size", static_cast<std::int64_t>(reference.size))
                            .text("encoding", reference.encoding)
                            .take());
  }
  return JsonObject()
      .text("pathspec", source.task_pathspec())
      .text("step_name", source.step_name())
      .raw("foreach_stack", foreach_stack_json(source.foreach_stack()))
      .raw("artifacts", artifacts.take())
      .take();
}

ArtifactReference reference_of(const ArtifactSource& source, std::string_view name) {
  if (auto reference = source.find(name)) return *std::move(reference);
  throw Error(ErrorCode::not_found, fmt::format("Task {} left no artifact '{}'.", source.task_pathspec(), name));
}

/// Pointers of artifacts are files of their names.
std::string artifact_name(const char* argument, const char* what) {
  constexpr std::size_t longest = 200;
  std::string name(required_text(argument, what));
  if (name.empty() || name.size() > longest || name.find('/') != name.npos)
    throw Error(
        ErrorCode::invalid,
        fmt::format("'{}' cannot be the name of an artifact: it needs 1 to {} bytes without a slash.", name, longest));
  return name;
}

NamedArtifact named_artifact(const metaflow_artifact& artifact) {
  NamedArtifact named{.name = artifact_name(artifact.name, "name"), .value = {}};
  named.value.type = required_text(artifact.type, "type");
  for (std::size_t i = 0; i < artifact.piece_count; ++i) {
    const auto& piece = (&required(artifact.pieces, "pieces"))[i];
    if (piece.size == 0) continue;
    named.value.pickle.borrow(
        {static_cast<const std::byte*>(&required(static_cast<const std::byte*>(piece.data), "data")), piece.size});
  }
  return named;
}

}  // namespace

std::string foreach_stack_json(const std::vector<ForeachFrame>& frames) {
  std::string json = "[";
  for (const auto& frame : frames) {
    if (json.size() > 1) json += ", ";
    json += JsonObject()
                .text("step", frame.step)
                .text("variable", frame.variable)
                .raw("num_splits", frame.num_splits ? std::to_string(*frame.num_splits) : "null")
                .number("index", frame.index)
                .raw("value", text_or_null(frame.value))
                .take();
  }
  return json + "]";
}

}  // namespace metaflow::capi

using namespace metaflow;
using namespace metaflow::capi;

metaflow_status metaflow_task_current(metaflow_task* task, metaflow_buffer** json, metaflow_error** error) {
  return guarded(error,
                 [&] { required(json, "json") = new_text(current_json(required(task, "task").context.current())); });
}

metaflow_status metaflow_task_temporary_folder(metaflow_task* task, metaflow_buffer** path, metaflow_error** error) {
  return guarded(
      error, [&] { required(path, "path") = new_text(required(task, "task").context.current().temporary_folder()); });
}

size_t metaflow_task_input_count(const metaflow_task* task) {
  return task == nullptr ? 0 : task->context.input_count();
}

metaflow_status metaflow_task_source(metaflow_task* task, size_t source, metaflow_buffer** json,
                                     metaflow_error** error) {
  return guarded(error, [&] {
    required(json, "json") = new_text(source_json(source_of(required(task, "task").context, source)));
  });
}

metaflow_status metaflow_task_load(metaflow_task* task, size_t source, const char* name, metaflow_buffer** pickle,
                                   metaflow_error** error) {
  return guarded(error, [&] {
    const auto& artifacts = source_of(required(task, "task").context, source);
    const auto wanted = required_text(name, "name");
    auto& result = required(pickle, "pickle");
    result = new_buffer(artifacts.load(wanted, reference_of(artifacts, wanted)));
  });
}

metaflow_status metaflow_task_load_item(metaflow_task* task, size_t source, const char* name, size_t index,
                                        metaflow_buffer** pickle, metaflow_error** error) {
  return guarded(error, [&] {
    const auto& artifacts = source_of(required(task, "task").context, source);
    const auto wanted = required_text(name, "name");
    auto& result = required(pickle, "pickle");
    const auto reference = reference_of(artifacts, wanted);
    if (reference.type != "<class 'list'>") return;
    if (const auto item = artifacts.load_item_pickle(wanted, reference, index)) result = new_text(*item);
  });
}

metaflow_status metaflow_task_included_file(metaflow_task* task, const char* url, metaflow_buffer** content,
                                            metaflow_error** error) {
  return guarded(error, [&] {
    const auto& artifacts = required(task, "task").context.inherited();
    auto& result = required(content, "content");
    result = new_buffer(artifacts.load_included_file(required_text(url, "url")));
  });
}

metaflow_status metaflow_task_store(metaflow_task* task, const metaflow_artifact* artifacts, size_t count,
                                    metaflow_error** error) {
  return guarded(error, [&] {
    auto& context = required(task, "task").context;
    std::vector<NamedArtifact> named;
    for (std::size_t i = 0; i < count; ++i) named.push_back(named_artifact((&required(artifacts, "artifacts"))[i]));
    context.store(named);
  });
}

metaflow_status metaflow_task_pass(metaflow_task* task, const char* name, size_t source, const char* source_name,
                                   metaflow_error** error) {
  return guarded(error, [&] {
    auto& context = required(task, "task").context;
    const auto& artifacts = source_of(context, source);
    const auto reference = reference_of(artifacts, required_text(source_name, "source_name"));
    context.pass(artifact_name(name, "name"), reference);
  });
}

metaflow_status metaflow_task_drop(metaflow_task* task, const char* name, metaflow_error** error) {
  return guarded(error, [&] { required(task, "task").context.drop(required_text(name, "name")); });
}

void metaflow_task_fail(metaflow_task* task, const char* type, const char* message, const char* stacktrace,
                        const char* headline) {
  guarded(nullptr, [&] {
    required(task, "task").result.failure =
        Failure{lenient_text(type), lenient_text(message), lenient_text(stacktrace), lenient_text(headline)};
  });
}

metaflow_status metaflow_task_foreach(metaflow_task* task, const char* values_json, metaflow_error** error) {
  return guarded(error, [&] {
    const std::string what = "The list of foreach values";
    const auto json = read_json(required_text(values_json, "values_json"), what);
    required(task, "task").result.foreach_values = Member{json, {}, what}.texts();
  });
}

void metaflow_task_choose(metaflow_task* task, const char* step) {
  guarded(nullptr, [&] { required(task, "task").result.chosen = lenient_text(step); });
}

void metaflow_task_parallel(metaflow_task* task, int64_t num_parallel) {
  if (task != nullptr) task->result.num_parallel = num_parallel;
}
