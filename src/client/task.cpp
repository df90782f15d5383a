#include <algorithm>
#include <mutex>

#include <fmt/format.h>
#include <metaflow/client.hpp>
#include <metaflow/pickle.hpp>
#include <metaflow/value.hpp>

#include "client/session.hpp"
#include "client/task_log.hpp"
#include "datastore/artifacts.hpp"

namespace metaflow::client {
namespace detail {

using Pointers = std::vector<metadata::ArtifactRecord>;

/// A task, and its artifact pointers once they cannot change any more.
struct TaskState {
  std::shared_ptr<const Session> session;
  std::string flow, run, step, task;
  mutable std::mutex mutex = {};
  mutable std::shared_ptr<const Pointers> final_pointers = nullptr;  // guarded by mutex

  std::string pathspec() const { return flow + '/' + run + '/' + step + '/' + task; }
  std::vector<metadata::Datum> data() const { return session->metadata().data(flow, run, step, task); }
  std::shared_ptr<const Pointers> pointers() const;
};

namespace {

// Keys of the pickles of True and None: these are asked for so often that reading them would be waste.
constexpr std::string_view key_of_true = "868436778cb011a1c6230bc12534683ab0b7f1c3";
constexpr std::string_view key_of_none = "dbc1aaddc8b7343d6d33b34edcf608b8f8801918";

const metadata::ArtifactRecord* find(const Pointers& pointers, std::string_view name) {
  const auto found = std::find_if(pointers.begin(), pointers.end(), [&](const auto& p) { return p.name == name; });
  return found == pointers.end() ? nullptr : &*found;
}

bool is_true(const Pointers& pointers, std::string_view name) {
  const auto* pointer = find(pointers, name);
  return pointer != nullptr && pointer->reference.key == key_of_true;
}

/// `:root:/data/proj/.metaflow` is the folder in which an artifact lies.
std::string root_of(const metadata::ArtifactRecord& pointer) {
  constexpr std::string_view prefix = ":root:";
  if (pointer.ds_type != "local" || pointer.location.compare(0, prefix.size(), prefix) != 0)
    throw Error(ErrorCode::unavailable,
                fmt::format("it is kept in a datastore of type '{}' at '{}', which cannot be read here",
                            pointer.ds_type, pointer.location));
  return pointer.location.substr(prefix.size());
}

void check_encoding(const metadata::ArtifactRecord& pointer) {
  for (const auto* known : {"pickle-v4", "pickle-v2", "gzip+pickle-v4", "gzip+pickle-v2"})
    if (pointer.reference.encoding == known) return;
  throw Error(ErrorCode::unavailable,
              fmt::format("its encoding '{}' is not one that can be read here; pickle is", pointer.reference.encoding));
}

/// Content of the include file that `value` stands for, as a pickled str or bytes; nothing for any other value.
std::optional<Buffer> included_content(const Value& value) {
  if (value.kind() != ValueKind::object) return std::nullopt;
  const auto& object = value.as_object();
  if (object.module != "metaflow.includefile" || object.name != "IncludedFile" || !object.state) return std::nullopt;
  const auto& descriptor = object.state->at("_descriptor");
  const auto content =
      datastore::load_included_file(descriptor.at("url").as_text(), descriptor.at("type").as_text() != "external");
  pickle::Writer writer;
  if (descriptor.at("is_text").as_boolean())
    writer.text(content.text());
  else
    writer.bytes(content.span());
  const auto encoded = writer.finish();
  Buffer joined(encoded.pickle.size());
  auto* place = joined.data();
  for (std::size_t i = 0; i < encoded.pickle.count(); ++i)
    place = std::copy_n(encoded.pickle.piece(i).data(), encoded.pickle.piece(i).size(), place);
  return joined;
}

bool mentions_included_file(const Buffer& pickle) {
  constexpr std::size_t head = 64;  // the class stands at the front of the pickle
  return pickle.text().substr(0, head).find("metaflow.includefile") != std::string_view::npos;
}

std::string optional_text(const Value& value) { return value.is_none() ? std::string() : value.str(); }

/// ForeachFrame(step, var, num_splits, index, value), whatever its module.
ForeachFrame frame_of(const Value& value) {
  const auto& fields = value.as_object().arguments;
  if (fields.size() != 5) throw Error(ErrorCode::corrupt, "a foreach frame has not five fields");
  ForeachFrame frame;
  frame.step = fields[0].str();
  frame.variable = optional_text(fields[1]);
  if (!fields[2].is_none()) frame.num_splits = fields[2].as_integer();
  if (!fields[3].is_none()) frame.index = fields[3].as_integer();
  if (!fields[4].is_none()) frame.value = fields[4].str();
  return frame;
}

/// MetaflowExceptionWrapper: `builtins.ValueError`, its text, its traceback.
Failure failure_of(const Value& value) {
  const auto& object = value.as_object();
  Failure failure;
  if (!object.state) return failure;
  const auto field = [&](std::string_view name) {
    const auto* found = object.state->find(name);
    return found == nullptr ? std::string() : optional_text(*found);
  };
  failure.type = field("type");
  failure.message = field("exception");
  failure.stacktrace = field("stacktrace");
  return failure;
}

std::optional<std::string> newest_value(const std::vector<metadata::Datum>& data, std::string_view field) {
  const metadata::Datum* newest = nullptr;
  for (const auto& datum : data)
    if (datum.field == field && (newest == nullptr || datum.created_ms > newest->created_ms)) newest = &datum;
  if (newest == nullptr) return std::nullopt;
  return newest->value;
}

int attempt_of(const std::vector<metadata::Datum>& data, const std::string& pathspec) {
  const auto text = newest_value(data, "attempt").value_or("0");
  if (text.size() != 1 || text[0] < '0' || text[0] > '9')
    throw Error(ErrorCode::corrupt,
                fmt::format("the attempt recorded for {} is '{}', which is no number", pathspec, text));
  return text[0] - '0';
}

std::string stored_log(const TaskState& task, datastore::LogStream stream) {
  const auto data = task.data();
  const auto root = newest_value(data, "ds-root").value_or(task.session->root());
  const auto& tasks = task.session->data(root, task.flow).tasks;
  const datastore::TaskPath path{task.run, task.step, task.task};
  const int attempt = attempt_of(data, task.pathspec());
  return log_text({tasks.read_log(path, attempt, datastore::LogSource::runtime, stream),
                   tasks.read_log(path, attempt, datastore::LogSource::task, stream)});
}

std::shared_ptr<const TaskState> open_task(const std::shared_ptr<const Session>& session, std::string flow,
                                           std::string run, std::string step, std::string task) {
  if (!session->metadata().task(flow, run, step, task))
    throw not_found(fmt::format("There is no task '{}/{}/{}/{}' below {}.", flow, run, step, task, session->root()));
  return std::shared_ptr<const TaskState>(
      new TaskState{session, std::move(flow), std::move(run), std::move(step), std::move(task)});
}

}  // namespace

/// An attempt that ended well is the last one, so what it left is read once.
std::shared_ptr<const Pointers> TaskState::pointers() const {
  {
    std::scoped_lock lock(mutex);
    if (final_pointers) return final_pointers;
  }
  auto found = std::make_shared<const Pointers>(
      session->metadata().artifacts(flow, run, step, task, std::nullopt).value_or(Pointers()));
  if (!is_true(*found, "_task_ok")) return found;
  std::scoped_lock lock(mutex);
  return final_pointers = std::move(found);
}

}  // namespace detail

using detail::TaskState;

Task::Task(std::string_view pathspec, const Options& options) {
  auto parts = detail::parse_pathspec(pathspec, {"Flow", "run", "step", "task"});
  auto session = std::make_shared<const detail::Session>(options);
  session->find_run(parts[0], parts[1]);
  state_ =
      detail::open_task(session, std::move(parts[0]), std::move(parts[1]), std::move(parts[2]), std::move(parts[3]));
}

const std::string& Task::id() const { return state_->task; }
std::string Task::pathspec() const { return state_->pathspec(); }
bool Task::finished() const { return detail::is_true(*state_->pointers(), "_task_ok"); }
bool Task::successful() const { return detail::is_true(*state_->pointers(), "_success"); }

Time Task::created_at() const {
  const auto record = state_->session->metadata().task(state_->flow, state_->run, state_->step, state_->task);
  if (!record) throw detail::not_found("Task '" + pathspec() + "' is gone.");
  return detail::to_time(record->created_ms);
}

std::optional<Time> Task::finished_at() const {
  const auto pointers = state_->pointers();
  if (!detail::is_true(*pointers, "_task_ok")) return std::nullopt;
  return detail::to_time(detail::find(*pointers, "_task_ok")->created_ms);
}

int Task::current_attempt() const { return detail::attempt_of(state_->data(), pathspec()); }

std::optional<ArtifactReference> Task::artifact_reference(std::string_view name) const {
  const auto pointers = state_->pointers();
  const auto* pointer = detail::find(*pointers, name);
  if (pointer == nullptr) return std::nullopt;
  return pointer->reference;
}

std::optional<Buffer> Task::artifact_pickle(std::string_view name) const {
  const auto pointers = state_->pointers();
  const auto* pointer = detail::find(*pointers, name);
  if (pointer == nullptr) return std::nullopt;
  try {
    detail::check_encoding(*pointer);
    auto pickle = state_->session->data(detail::root_of(*pointer), state_->flow).blobs.get(pointer->reference.key);
    if (detail::mentions_included_file(pickle))
      if (auto content = detail::included_content(pickle::decode(pickle.span()))) return content;
    return pickle;
  } catch (const Error& error) {
    refuse(name, error);
  }
}

std::vector<std::string> Task::artifact_names() const {
  const auto pointers = state_->pointers();
  std::vector<std::string> names;
  for (const auto& pointer : *pointers)
    if (pointer.name.front() != '_') names.push_back(pointer.name);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<ForeachFrame> Task::foreach_stack() const {
  std::vector<ForeachFrame> frames;
  if (const auto stack = artifact<Value>("_foreach_stack"))
    for (const auto& frame : stack->items()) frames.push_back(detail::frame_of(frame));
  return frames;
}

std::optional<std::int64_t> Task::index() const {
  const auto frames = foreach_stack();
  if (frames.empty()) return std::nullopt;
  return frames.back().index;
}

std::optional<Failure> Task::exception() const {
  const auto reference = artifact_reference("_exception");
  if (!reference || reference->key == detail::key_of_none) return std::nullopt;
  return detail::failure_of(artifact<Value>("_exception").value());
}

std::string Task::stdout_text() const { return detail::stored_log(*state_, datastore::LogStream::out); }
std::string Task::stderr_text() const { return detail::stored_log(*state_, datastore::LogStream::err); }

void Task::refuse(std::string_view name, const Error& reason) const {
  throw Error(reason.code(), fmt::format("cannot read artifact '{}' of {}: {}", name, pathspec(), reason.what()));
}

Step::Step(std::string_view pathspec, const Options& options) : session_(std::make_shared<detail::Session>(options)) {
  auto parts = detail::parse_pathspec(pathspec, {"Flow", "run", "step"});
  session_->find_run(parts[0], parts[1]);
  *this = Step(session_, std::move(parts[0]), std::move(parts[1]), std::move(parts[2]));
  created_at();
}

Step::Step(std::shared_ptr<const detail::Session> session, std::string flow, std::string run, std::string step)
    : session_(std::move(session)), flow_(std::move(flow)), run_(std::move(run)), step_(std::move(step)) {}

std::string Step::pathspec() const { return flow_ + '/' + run_ + '/' + step_; }

Time Step::created_at() const {
  for (const auto& [name, created_ms] : session_->metadata().steps(flow_, run_))
    if (name == step_) return detail::to_time(created_ms);
  throw detail::not_found(fmt::format("There is no step '{}' below {}.", pathspec(), session_->root()));
}

std::optional<Time> Step::finished_at() const {
  std::optional<Time> last;
  for (const auto& task : tasks()) {
    const auto finished = task.finished_at();
    if (!finished) return std::nullopt;
    last = std::max(last, finished);
  }
  return last;
}

std::vector<Task> Step::tasks() const {
  std::vector<Task> tasks;
  for (auto& record : session_->metadata().tasks(flow_, run_, step_))
    tasks.push_back(
        Task(std::shared_ptr<const TaskState>(new TaskState{session_, flow_, run_, step_, std::move(record.task)})));
  return tasks;
}

Task Step::task(std::string_view id) const {
  return Task(detail::open_task(session_, flow_, run_, step_, std::string(id)));
}

Task Step::task() const {
  auto all = tasks();
  if (all.empty()) throw detail::not_found(fmt::format("Step '{}' has no task.", pathspec()));
  return std::move(all.front());
}

}  // namespace metaflow::client
