#include <algorithm>

#include <fmt/format.h>
#include <metaflow/client.hpp>
#include <metaflow/value.hpp>

#include "base/clock.hpp"
#include "client/navigation.hpp"
#include "client/state.hpp"
#include "client/task_log.hpp"

namespace metaflow::client {
namespace {

// Key of the pickle of None: most tasks have no exception.
constexpr std::string_view key_of_none = "dbc1aaddc8b7343d6d33b34edcf608b8f8801918";

std::string optional_text(const Value& value) { return value.is_none() ? std::string() : value.str(); }

/// ForeachFrame(step, var, num_splits, index, value), whatever its module.
ForeachFrame frame_of(const Value& value) {
  const auto& fields = value.as_object().arguments;
  if (fields.size() != 5) throw Error(ErrorCode::corrupt, "a foreach frame has not five fields");
  ForeachFrame frame;
  frame.step = fields[0].str();
  frame.variable = optional_text(fields[1]);
  if (!fields[2].is_none()) frame.num_splits = fields[2].as_integer();
  frame.index = fields[3].is_none() ? -1 : fields[3].as_integer();
  if (!fields[4].is_none()) frame.value = fields[4].str();
  return frame;
}

/// Stored files of one stream of the attempt that is shown. A clone printed nothing: its original did.
std::vector<std::string> stored_log(const detail::TaskState& task, LogStream stream) {
  if (const auto original = task.origin()) return stored_log(*original, stream);
  const auto type = task.newest_own_value("ds-type").value_or("local");
  const auto root = task.newest_own_value("ds-root").value_or(task.run->session->root());
  if (!detail::is_readable(type))
    throw Error(ErrorCode::unavailable,
                fmt::format("cannot read what {} printed: it is kept in a datastore of type '{}' at '{}', which cannot "
                            "be read here",
                            task.pathspec(), type, root));
  const auto& tasks = task.run->session->data(root, task.run->flow).tasks;
  const auto stored = stream == LogStream::out ? datastore::LogStream::out : datastore::LogStream::err;
  const int attempt = task.latest_attempt();
  return {tasks.read_log(task.path(), attempt, datastore::LogSource::runtime, stored),
          tasks.read_log(task.path(), attempt, datastore::LogSource::task, stored)};
}

std::uint64_t total_size(const std::vector<std::string>& files) {
  std::uint64_t size = 0;
  for (const auto& file : files) size += file.size();
  return size;
}

/// Whether the scheduler has closed the log of an attempt that left no other sign of its end.
bool is_given_up(const detail::TaskState& task) {
  const auto files = stored_log(task, LogStream::err);
  const auto lines = merge_log_lines(files);
  return !lines.empty() && is_mark_of_failure(lines.back().message);
}

std::vector<std::string> pathspecs(const std::vector<Task>& tasks) {
  std::vector<std::string> texts;
  for (const auto& task : tasks) texts.push_back(task.pathspec());
  return texts;
}

}  // namespace

Task::Task(std::string_view pathspec, const Options& options) {
  auto parts = detail::parse_pathspec(pathspec, {"Flow", "run", "step", "task"});
  const auto session = std::make_shared<const detail::Session>(options);
  session->find_run(parts[0], parts[1]);
  state_ =
      detail::open_task(std::make_shared<const detail::RunState>(session, std::move(parts[0]), std::move(parts[1])),
                        std::move(parts[2]), std::move(parts[3]));
}

const std::string& Task::id() const { return state_->task; }
std::string Task::pathspec() const { return state_->pathspec(); }
Step Task::parent() const { return Step(state_->run, state_->step); }

Task Task::at_attempt(int number) const {
  if (number < 0 || number >= datastore::max_attempts)
    throw Error(ErrorCode::invalid, fmt::format("{} is no attempt of {}: attempts are numbered 0 to {}.", number,
                                                pathspec(), datastore::max_attempts - 1));
  return Task(std::make_shared<const detail::TaskState>(state_->run, state_->step, state_->task, std::nullopt, number));
}

bool Task::finished() const { return state_->is_true("_task_ok"); }
bool Task::successful() const { return state_->is_true("_success"); }

Status Task::status() const {
  if (finished()) return successful() ? Status::done : Status::caught;
  const auto done = state_->done_attempt();
  if (done && *done >= current_attempt()) return Status::failed;
  return is_given_up(*state_) ? Status::failed : Status::unfinished;
}

Time Task::created_at() const { return detail::to_time(state_->created_ms()); }

std::optional<Time> Task::finished_at() const { return finished() ? ended_at() : std::nullopt; }

std::optional<Time> Task::ended_at() const {
  const auto pointer = state_->pointer("_task_ok");
  return pointer ? std::optional(detail::to_time(pointer->created_ms)) : std::nullopt;
}

int Task::current_attempt() const { return state_->latest_attempt(); }

std::optional<Buffer> Task::artifact_pickle(std::string_view name) const {
  auto pointer = state_->pointer(name);
  if (!pointer) return std::nullopt;
  return DataArtifact(std::make_shared<const detail::ArtifactState>(state_, std::move(*pointer))).pickle();
}

std::vector<std::string> Task::artifact_names() const {
  auto names = all_artifact_names();
  std::erase_if(names, [](const auto& name) { return name.starts_with('_'); });
  return names;
}

std::vector<std::string> Task::all_artifact_names() const {
  std::vector<std::string> names;
  const auto pointers = state_->pointers();
  for (const auto& pointer : *pointers) names.push_back(pointer.name);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<DataArtifact> Task::artifacts() const {
  std::vector<DataArtifact> artifacts;
  const auto pointers = state_->pointers();
  for (const auto& pointer : *pointers)
    if (!pointer.name.starts_with('_'))
      artifacts.push_back(DataArtifact(std::make_shared<const detail::ArtifactState>(state_, pointer)));
  std::sort(artifacts.begin(), artifacts.end(), [](const auto& a, const auto& b) { return a.id() < b.id(); });
  return artifacts;
}

DataArtifact Task::data_artifact(std::string_view name) const {
  auto pointer = state_->pointer(name);
  if (pointer) return DataArtifact(std::make_shared<const detail::ArtifactState>(state_, std::move(*pointer)));
  if (!state_->done_attempt())
    throw detail::not_found(fmt::format("Task {} left no artifacts: no attempt of it is done.", pathspec()));
  throw detail::not_found(fmt::format("Task {} has no artifact '{}'.", pathspec(), name));
}

std::vector<ForeachFrame> Task::foreach_stack() const {
  std::vector<ForeachFrame> frames;
  if (const auto stack = artifact<Value>("_foreach_stack"))
    for (const auto& frame : stack->items()) frames.push_back(frame_of(frame));
  return frames;
}

std::optional<std::int64_t> Task::index() const {
  const auto frames = foreach_stack();
  if (frames.empty() || frames.back().index < 0) return std::nullopt;
  return frames.back().index;
}

std::optional<Failure> Task::exception() const {
  const auto pointer = state_->pointer("_exception");
  if (!pointer || pointer->reference.key == key_of_none) return std::nullopt;
  return artifact<Failure>("_exception").value();
}

std::string Task::stdout_text() const { return log_text(stored_log(*state_, LogStream::out)); }
std::string Task::stderr_text() const { return log_text(stored_log(*state_, LogStream::err)); }
std::uint64_t Task::stdout_size() const { return total_size(stored_log(*state_, LogStream::out)); }
std::uint64_t Task::stderr_size() const { return total_size(stored_log(*state_, LogStream::err)); }

std::vector<LogLine> Task::log_lines(LogStream stream) const {
  const auto files = stored_log(*state_, stream);
  std::vector<LogLine> lines;
  for (const auto& line : merge_log_lines(files)) {
    auto& added = lines.emplace_back(LogLine{std::nullopt, std::string(line.message)});
    if (const auto time = read_utc_timestamp(line.timestamp)) added.time.emplace(std::chrono::microseconds(*time));
  }
  return lines;
}

std::vector<Metadatum> Task::metadata() const {
  std::vector<Metadatum> metadata;
  for (auto& datum : state_->data())
    metadata.push_back({std::move(datum.field), datum.json.empty() ? std::move(datum.value) : std::move(datum.json),
                        std::move(datum.type), detail::to_time(datum.created_ms), datum.attempt});
  return metadata;
}

std::map<std::string, std::string> Task::metadata_dict() const {
  std::map<std::string, std::string> newest;
  for (auto& datum : metadata()) newest.emplace(std::move(datum.name), std::move(datum.value));
  return newest;
}

std::optional<std::string> Task::runtime_name() const {
  constexpr std::string_view prefix = "runtime:";
  for (const auto& tag : system_tags())
    if (tag.starts_with(prefix)) return tag.substr(prefix.size());
  return std::nullopt;
}

std::optional<std::string> Task::origin_pathspec() const {
  const auto original = state_->origin();
  return original ? std::optional(original->pathspec()) : std::nullopt;
}

std::vector<Task> Task::parent_tasks() const {
  std::vector<Task> tasks;
  for (auto& task : detail::related_tasks(*state_, detail::Direction::parents)) tasks.push_back(Task(std::move(task)));
  return tasks;
}

std::vector<Task> Task::child_tasks() const {
  std::vector<Task> tasks;
  for (auto& task : detail::related_tasks(*state_, detail::Direction::children)) tasks.push_back(Task(std::move(task)));
  return tasks;
}

std::vector<std::string> Task::parent_task_pathspecs() const { return pathspecs(parent_tasks()); }
std::vector<std::string> Task::child_task_pathspecs() const { return pathspecs(child_tasks()); }

std::set<std::string> Task::user_tags() const { return Run(state_->run).user_tags(); }
std::set<std::string> Task::system_tags() const { return Run(state_->run).system_tags(); }
std::set<std::string> Task::tags() const { return Run(state_->run).tags(); }

}  // namespace metaflow::client
