#include <algorithm>
#include <map>
#include <mutex>

#include <fmt/format.h>
#include <metaflow/client.hpp>

#include "base/json.hpp"
#include "capi/guard.hpp"
#include "capi/json_reader.hpp"
#include "client/session.hpp"

namespace metaflow::capi {
namespace {

namespace client = metaflow::client;

constexpr int latest_attempt = -1;

/// What a pathspec leads to, by the number of its parts.
enum class Kind { all_flows, flow, run, step, task, artifact };

struct Pathspec {
  Kind kind;
  std::string text;
  std::vector<std::string> parts;

  /// The pathspec of what it lies below, at `kind`.
  std::string up_to(Kind above) const {
    return fmt::format("{}", fmt::join(parts.begin(), parts.begin() + static_cast<int>(above), "/"));
  }
};

Pathspec parse_pathspec(std::string_view text) {
  Pathspec pathspec{.kind = Kind::all_flows, .text = std::string(text), .parts = {}};
  if (text.empty()) return pathspec;
  pathspec.parts.emplace_back();
  for (const char c : text) {
    if (c == '/')
      pathspec.parts.emplace_back();
    else
      pathspec.parts.back() += c;
  }
  const auto is_empty = [](const std::string& part) { return part.empty(); };
  constexpr std::size_t most = 5;
  if (pathspec.parts.size() > most || std::ranges::any_of(pathspec.parts, is_empty))
    throw Error(ErrorCode::invalid,
                fmt::format("'{}' is not of the form Flow/run/step/task/artifact, of which parts may be left out at "
                            "the end.",
                            text),
                "Invalid pathspec");
  pathspec.kind = static_cast<Kind>(pathspec.parts.size());
  return pathspec;
}

void require_kind(const Pathspec& pathspec, std::initializer_list<Kind> kinds, std::string_view form) {
  if (std::ranges::find(kinds, pathspec.kind) != kinds.end()) return;
  throw Error(ErrorCode::invalid, fmt::format("'{}' is not of the form {}.", pathspec.text, form), "Invalid pathspec");
}

std::int64_t milliseconds(client::Time time) { return time.time_since_epoch().count(); }

std::string number_or_null(std::optional<std::int64_t> number) { return number ? std::to_string(*number) : "null"; }
std::string time_or_null(std::optional<client::Time> time) {
  return time ? std::to_string(milliseconds(*time)) : "null";
}
const char* boolean(bool value) { return value ? "true" : "false"; }

/// Nothing when what it asks for lies where it cannot be read from here.
template <class Read>
auto if_reachable(Read read) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unavailable) throw;
    return std::nullopt;
  }
}

std::string metadata_json(const std::vector<client::Metadatum>& metadata) {
  std::string json = "[";
  for (const auto& datum : metadata) {
    if (json.size() > 1) json += ", ";
    json += JsonObject()
                .text("name", datum.name)
                .text("value", datum.value)
                .text("type", datum.type)
                .number("created_at", milliseconds(datum.created_at))
                .raw("attempt", number_or_null(datum.attempt))
                .take();
  }
  return json + "]";
}

/// The newest value of a field; `metadata` is newest first.
std::optional<std::string> newest(const std::vector<client::Metadatum>& metadata, std::string_view name) {
  const auto found = std::ranges::find(metadata, name, &client::Metadatum::name);
  return found == metadata.end() ? std::nullopt : std::optional(found->value);
}

std::string log_json(const std::vector<client::LogLine>& lines) {
  std::string json = "[";
  for (const auto& line : lines) {
    if (json.size() > 1) json += ", ";
    const auto time = line.time ? std::optional<std::int64_t>(line.time->time_since_epoch().count()) : std::nullopt;
    json += JsonObject().raw("time", number_or_null(time)).text("text", line.text).take();
  }
  return json + "]";
}

template <class Objects>
std::vector<std::string> pathspecs_of(const Objects& objects) {
  std::vector<std::string> pathspecs;
  for (const auto& object : objects) pathspecs.push_back(object.pathspec());
  return pathspecs;
}

template <class Objects>
std::vector<std::string> ids_of(const Objects& objects) {
  std::vector<std::string> ids;
  for (const auto& object : objects) ids.push_back(object.id());
  return ids;
}

client::Options read_options(std::string_view text) {
  const std::string what = "The options of the client";
  const auto json = read_json(text, what);
  Object object(Member{json, {}, what});
  const auto folder = object.text_or("folder"), root = object.text_or("root");
  const auto name_space = object.find("namespace");
  const bool is_spin = object.flag_or("spin", false);
  object.refuse_others();
  if (!root.empty() && (is_spin || !folder.empty()))
    throw Error(ErrorCode::invalid, "The options of the client have a root, and so no folder and no spin beside it.");
  auto options = is_spin ? client::inspect_spin(folder) : client::Options{.folder = folder};
  if (!root.empty()) options.root = root;
  if (name_space) options.name_space = name_space->is_null() ? std::nullopt : std::optional(name_space->text());
  return options;
}

std::set<std::string> tags_in(const char* argument, const char* name) {
  if (argument == nullptr) return {};
  const std::string what = fmt::format("The list '{}'", name);
  const auto json = read_json(required_text(argument, name), what);
  const auto tags = Member{json, {}, what}.texts();
  return {tags.begin(), tags.end()};
}

}  // namespace
}  // namespace metaflow::capi

/// Handles that were asked for lately are kept, as they know what cannot change any more.
struct metaflow_client {
  using Kind = metaflow::capi::Kind;
  using Pathspec = metaflow::capi::Pathspec;
  using Run = metaflow::client::Run;
  using Step = metaflow::client::Step;
  using Task = metaflow::client::Task;
  using DataArtifact = metaflow::client::DataArtifact;

  explicit metaflow_client(metaflow::client::Options options) : options_(std::move(options)) {}

  const metaflow::client::Options& options() const { return options_; }

  Run run(const Pathspec& pathspec) {
    const auto text = pathspec.up_to(Kind::run);
    const auto known = find(runs_, text);
    if (!known) return keep(runs_, text, Run(text, options_));
    known->created_at();  // it may have gone, or left the namespace, since
    return *known;
  }
  Step step(const Pathspec& pathspec) { return run(pathspec).step(pathspec.parts[2]); }
  Task task(const Pathspec& pathspec, int attempt) {
    const auto owner = run(pathspec);
    const auto text = pathspec.up_to(Kind::task);
    auto known = find(tasks_, text);
    if (!known) known = keep(tasks_, text, owner.step(pathspec.parts[2]).task(pathspec.parts[3]));
    return attempt == metaflow::capi::latest_attempt ? *known : known->at_attempt(attempt);
  }
  DataArtifact artifact(const Pathspec& pathspec, int attempt) {
    return task(pathspec, attempt).data_artifact(pathspec.parts[4]);
  }

 private:
  template <class Handle>
  using Handles = std::map<std::string, Handle, std::less<>>;

  template <class Handle>
  std::optional<Handle> find(const Handles<Handle>& handles, const std::string& pathspec) {
    const std::scoped_lock lock(mutex_);
    const auto found = handles.find(pathspec);
    return found == handles.end() ? std::nullopt : std::optional(found->second);
  }
  template <class Handle>
  Handle keep(Handles<Handle>& handles, const std::string& pathspec, Handle handle) {
    constexpr std::size_t most = 1000;
    const std::scoped_lock lock(mutex_);
    if (handles.size() >= most) handles.clear();
    handles.insert_or_assign(pathspec, handle);
    return handle;
  }

  const metaflow::client::Options options_;
  std::mutex mutex_;  // guards what follows
  Handles<Run> runs_;
  Handles<Task> tasks_;
};

namespace metaflow::capi {
namespace {

/// What every object has.
JsonObject common(const std::string& id, const std::string& pathspec, std::int64_t created_ms) {
  JsonObject object;
  object.text("id", id).text("pathspec", pathspec).number("created_at", created_ms);
  return object;
}

template <class Handle>
void add_tags(JsonObject& object, const Handle& handle) {
  object.raw("user_tags", json_list(handle.user_tags())).raw("system_tags", json_list(handle.system_tags()));
}

std::string flow_json(const client::Flow& flow, const client::Options& options) {
  const auto runs = flow.runs();
  const client::detail::Session session(options);
  const auto& records = session.metadata();
  auto object = common(flow.id(), flow.id(), records.flow_created_ms(flow.id()).value_or(0));
  object.raw("user_tags", "[]").raw("system_tags", "[]").raw("origin_pathspec", "null");
  return object.raw("latest_run", text_or_null(records.latest_run(flow.id()))).take();
}

std::string run_json(const client::Run& run) {
  auto object = common(run.id(), run.pathspec(), milliseconds(run.created_at()));
  add_tags(object, run);
  const auto last = run.end_task();
  return object.raw("origin_pathspec", text_or_null(run.origin_pathspec()))
      .text("user", run.user())
      .text("end_step", run.end_step())
      .raw("end_task", last ? text_or_null(last->pathspec()) : "null")
      .raw("finished", boolean(last && last->finished()))
      .raw("successful", boolean(last && last->successful()))
      .raw("finished_at", time_or_null(last ? last->ended_at() : std::nullopt))
      .take();
}

std::string step_json(const client::Step& step) {
  auto object = common(step.id(), step.pathspec(), milliseconds(step.created_at()));
  add_tags(object, step);
  const bool has_tasks = !step.tasks().empty();
  return object.raw("origin_pathspec", text_or_null(has_tasks ? step.origin_pathspec() : std::nullopt)).take();
}

std::string task_json(const client::Task& task) {
  auto object = common(task.id(), task.pathspec(), milliseconds(task.created_at()));
  add_tags(object, task);
  const auto metadata = task.metadata();
  return object.raw("origin_pathspec", text_or_null(task.origin_pathspec()))
      .number("attempt", task.current_attempt())
      .raw("is_done", boolean(task.ended_at().has_value()))
      .raw("finished", boolean(task.finished()))
      .raw("successful", boolean(task.successful()))
      .raw("finished_at", time_or_null(task.ended_at()))
      .raw("index", number_or_null(task.index()))
      .raw("runtime_name", text_or_null(task.runtime_name()))
      .raw("is_control", boolean(newest(metadata, "internal_task_type") == "control_task"))
      .raw("code", text_or_null(newest(metadata, "code-package")))
      .raw("stdout_size", number_or_null(if_reachable([&] { return task.stdout_size(); })))
      .raw("stderr_size", number_or_null(if_reachable([&] { return task.stderr_size(); })))
      .raw("metadata", metadata_json(metadata))
      .take();
}

std::string artifact_json(const client::DataArtifact& artifact) {
  const auto time = milliseconds(artifact.finished_at());
  auto object = common(artifact.id(), artifact.pathspec(), time);
  const auto task = artifact.parent();
  add_tags(object, task);
  const auto size = if_reachable([&] { return artifact.size(); }).value_or(std::nullopt);
  return object.raw("origin_pathspec", "null")
      .text("sha", artifact.key())
      .raw("type", text_or_null(if_reachable([&] { return artifact.type(); }).value_or(std::nullopt)))
      .raw("size", size ? std::to_string(*size) : "null")
      .number("attempt", artifact.attempt())
      .number("finished_at", time)
      .take();
}

void require_attempt(const Pathspec& pathspec, int attempt) {
  if (attempt == latest_attempt || pathspec.kind == Kind::task || pathspec.kind == Kind::artifact) return;
  throw Error(ErrorCode::invalid, "Only tasks and artifacts have attempts: '" + pathspec.text + "' is none of them.");
}

std::string object_json(metaflow_client& client, const Pathspec& pathspec, int attempt) {
  require_attempt(pathspec, attempt);
  switch (pathspec.kind) {
    case Kind::all_flows:
      return "{}";
    case Kind::flow:
      return flow_json(client::Flow(pathspec.text, client.options()), client.options());
    case Kind::run:
      return run_json(client.run(pathspec));
    case Kind::step:
      return step_json(client.step(pathspec));
    case Kind::task:
      return task_json(client.task(pathspec, attempt));
    case Kind::artifact:
      break;
  }
  return artifact_json(client.artifact(pathspec, attempt));
}

std::vector<std::string> children(metaflow_client& client, const Pathspec& pathspec, int attempt,
                                  const std::set<std::string>& tags) {
  require_attempt(pathspec, attempt);
  if (!tags.empty()) require_kind(pathspec, {Kind::flow}, "Flow: only runs are chosen by their tags");
  switch (pathspec.kind) {
    case Kind::all_flows:
      return client::flows(client.options());
    case Kind::flow:
      return ids_of(client::Flow(pathspec.text, client.options()).runs(tags));
    case Kind::run:
      return ids_of(client.run(pathspec).steps());
    case Kind::step:
      return ids_of(client.step(pathspec).tasks());
    case Kind::task:
      return client.task(pathspec, attempt).all_artifact_names();
    case Kind::artifact:
      break;
  }
  throw Error(ErrorCode::invalid, "Nothing lies below the artifact '" + pathspec.text + "'.", "Invalid pathspec");
}

std::vector<std::string> related(metaflow_client& client, const Pathspec& pathspec, std::string_view relation) {
  require_kind(pathspec, {Kind::step, Kind::task}, "Flow/run/step or Flow/run/step/task");
  if (relation != "parents" && relation != "children")
    throw Error(ErrorCode::invalid, fmt::format("'{}' is no relation; parents and children are.", relation));
  const bool is_parents = relation == "parents";
  if (pathspec.kind == Kind::step) {
    const auto step = client.step(pathspec);
    return pathspecs_of(is_parents ? step.parent_steps() : step.child_steps());
  }
  const auto task = client.task(pathspec, latest_attempt);
  return is_parents ? task.parent_task_pathspecs() : task.child_task_pathspecs();
}

client::LogStream stream_of(std::string_view name) {
  if (name == "stdout") return client::LogStream::out;
  if (name == "stderr") return client::LogStream::err;
  throw Error(ErrorCode::invalid, fmt::format("'{}' is no stream of a task; stdout and stderr are.", name));
}

}  // namespace
}  // namespace metaflow::capi

using namespace metaflow;
using namespace metaflow::capi;

metaflow_status metaflow_client_new(const char* options_json, metaflow_client** client, metaflow_error** error) {
  return guarded(error, [&] {
    auto options = read_options(required_text(options_json, "options_json"));
    required(client, "client") = new metaflow_client(std::move(options));
  });
}

void metaflow_client_free(metaflow_client* client) { delete client; }

metaflow_status metaflow_client_default_namespace(metaflow_buffer** json, metaflow_error** error) {
  return guarded(error,
                 [&] { required(json, "json") = new_text(text_or_null(metaflow::client::default_namespace())); });
}

metaflow_status metaflow_client_object(metaflow_client* client, const char* pathspec, int attempt,
                                       metaflow_buffer** json, metaflow_error** error) {
  return guarded(error, [&] {
    const auto path = parse_pathspec(required_text(pathspec, "pathspec"));
    required(json, "json") = new_text(object_json(required(client, "client"), path, attempt));
  });
}

metaflow_status metaflow_client_children(metaflow_client* client, const char* pathspec, int attempt,
                                         const char* tags_json, metaflow_buffer** json, metaflow_error** error) {
  return guarded(error, [&] {
    const auto path = parse_pathspec(required_text(pathspec, "pathspec"));
    const auto ids = children(required(client, "client"), path, attempt, tags_in(tags_json, "tags_json"));
    required(json, "json") = new_text(json_list(ids));
  });
}

metaflow_status metaflow_client_artifact(metaflow_client* client, const char* pathspec, int attempt,
                                         metaflow_buffer** pickle, metaflow_error** error) {
  return guarded(error, [&] {
    const auto path = parse_pathspec(required_text(pathspec, "pathspec"));
    require_kind(path, {Kind::artifact}, "Flow/run/step/task/artifact");
    auto& result = required(pickle, "pickle");
    result = new_buffer(required(client, "client").artifact(path, attempt).pickle());
  });
}

metaflow_status metaflow_client_log(metaflow_client* client, const char* pathspec, int attempt, const char* stream,
                                    metaflow_buffer** json, metaflow_error** error) {
  return guarded(error, [&] {
    const auto path = parse_pathspec(required_text(pathspec, "pathspec"));
    require_kind(path, {Kind::task}, "Flow/run/step/task");
    const auto wanted = stream_of(required_text(stream, "stream"));
    required(json, "json") = new_text(log_json(required(client, "client").task(path, attempt).log_lines(wanted)));
  });
}

metaflow_status metaflow_client_related(metaflow_client* client, const char* pathspec, const char* relation,
                                        metaflow_buffer** json, metaflow_error** error) {
  return guarded(error, [&] {
    const auto path = parse_pathspec(required_text(pathspec, "pathspec"));
    const auto found = related(required(client, "client"), path, required_text(relation, "relation"));
    required(json, "json") = new_text(json_list(found));
  });
}

metaflow_status metaflow_client_change_tags(metaflow_client* client, const char* pathspec, const char* removed_json,
                                            const char* added_json, metaflow_error** error) {
  return guarded(error, [&] {
    const auto path = parse_pathspec(required_text(pathspec, "pathspec"));
    require_kind(path, {Kind::run}, "Flow/run");
    required(client, "client")
        .run(path)
        .replace_tags(tags_in(removed_json, "removed_json"), tags_in(added_json, "added_json"));
  });
}
