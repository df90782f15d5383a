#include "client/state.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>
#include <metaflow/pickle.hpp>
#include <metaflow/value.hpp>

#include "datastore/artifacts.hpp"

namespace metaflow::client::detail {
namespace {

// Key of the pickle of True: it is asked for so often that reading it would be waste.
constexpr std::string_view key_of_true = "868436778cb011a1c6230bc12534683ab0b7f1c3";

Graph graph_of(const Value& described) {
  Graph graph;
  for (const auto& [name, step] : described.at("steps").pairs()) {
    GraphStep& added = graph.emplace_back();
    added.name = name.as_text();
    added.is_switch = step.at("type").as_text() == "split-switch";
    for (const auto& next : step.at("next").items()) added.next.emplace_back(next.as_text());
  }
  return graph;
}

/// `body:1,leaf:0`; `body:None` for the task of official Metaflow that leads an unbounded foreach.
Place parse_place(std::string_view text, const std::string& pathspec) {
  Place place;
  while (!text.empty()) {
    const auto frame = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), frame.size() + 1));
    const auto colon = frame.rfind(':');
    std::int64_t index = 0;
    const auto digits = frame.substr(std::min(colon, frame.size() - 1) + 1);
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (colon != frame.npos && digits == "None") {
      place.emplace_back(frame.substr(0, colon), -1);
      continue;
    }
    if (colon == frame.npos || problem != std::errc() || end != digits.data() + digits.size())
      throw Error(ErrorCode::corrupt,
                  fmt::format("the foreach-execution-path of {} is damaged: '{}' is not step:index", pathspec, frame));
    place.emplace_back(frame.substr(0, colon), index);
  }
  return place;
}

/// What is stored in place of an include file; null for any other value.
const Value* descriptor_of(const Value& value) {
  if (value.kind() != ValueKind::object) return nullptr;
  const auto& object = value.as_object();
  if (object.module != "metaflow.includefile" || object.name != "IncludedFile" || !object.state) return nullptr;
  return object.state->find("_descriptor");
}

/// Its content, as a pickled str or bytes.
Buffer included_content(const Value& descriptor) {
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

void check_encoding(const std::string& encoding) {
  constexpr std::array known{"pickle-v4", "pickle-v2", "gzip+pickle-v4", "gzip+pickle-v2"};
  if (std::find(known.begin(), known.end(), encoding) == known.end())
    throw Error(ErrorCode::unavailable,
                fmt::format("its encoding '{}' is not one that can be read here; pickle is", encoding));
}

bool leads_to_true(const std::optional<metadata::ArtifactRecord>& pointer) {
  return pointer && pointer->reference.key == key_of_true;
}

Graph graph_at(const TaskState& task, const metadata::ArtifactRecord& pointer) {
  try {
    return read_graph(load(task, pointer));
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("cannot read the graph of run '{}', artifact '_graph_info' of {}: {}",
                                          task.run->pathspec(), task.pathspec(), error.what()));
  }
}

Buffer load_as_stored(const TaskState& task, const metadata::ArtifactRecord& pointer) {
  check_encoding(pointer.reference.encoding);
  return task.run->session->data(root_of(pointer), task.run->flow).blobs.get(pointer.reference.key);
}

}  // namespace

Graph read_graph(Buffer pickle) {
  try {
    return graph_of(pickle::decode(std::move(pickle)));
  } catch (const Error& error) {
    throw Error(ErrorCode::corrupt, fmt::format("it describes no graph: {}", error.what()));
  }
}

std::string RunState::end_step() const {
  {
    const std::scoped_lock lock(mutex_);
    if (end_step_) return *end_step_;
  }
  const auto parameters = tasks("_parameters");
  if (parameters.empty()) return "end";  // so far: it is recorded with the parameters
  auto name = parameters.front()->newest_own_value("end_step").value_or("end");
  const std::scoped_lock lock(mutex_);
  return *(end_step_ = std::move(name));
}

std::shared_ptr<const Graph> RunState::graph() const {
  {
    const std::scoped_lock lock(mutex_);
    if (graph_) return graph_;
  }
  for (const auto& task : tasks("_parameters")) {
    const auto pointer = task->pointer("_graph_info");
    if (!pointer) continue;
    auto read = std::make_shared<const Graph>(graph_at(*task, *pointer));
    const std::scoped_lock lock(mutex_);
    return graph_ = std::move(read);
  }
  throw not_found(fmt::format("Run '{}' has no description of its graph.", pathspec()));
}

std::vector<std::shared_ptr<const TaskState>> RunState::tasks(const std::string& step) const {
  std::vector<std::shared_ptr<const TaskState>> tasks;
  for (auto& record : metadata().tasks(flow, run, step))
    tasks.push_back(
        std::make_shared<const TaskState>(shared_from_this(), step, std::move(record.task), record.created_ms));
  return tasks;
}

std::shared_ptr<const TasksByPlace> RunState::tasks_by_place(const std::string& step) const {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = places_.find(step); found != places_.end()) return found->second;
  }
  // Asked before the tasks are listed: what a finished run has is all there will be.
  const auto last = tasks(end_step());
  const bool is_final = !last.empty() && last.front()->is_true("_task_ok");
  auto read = std::make_shared<TasksByPlace>();
  for (const auto& task : tasks(step)) read->emplace(task->place(), TaskEntry{task->task, task->created_ms()});
  if (!is_final) return read;
  const std::scoped_lock lock(mutex_);
  return places_[step] = std::move(read);
}

std::shared_ptr<const TaskState> RunState::task(const std::string& step, const TasksByPlace::value_type& entry) const {
  const auto& [place, task] = entry;
  return std::make_shared<const TaskState>(shared_from_this(), step, task.task, task.created_ms, std::nullopt, place);
}

std::int64_t TaskState::created_ms() const {
  {
    const std::scoped_lock lock(mutex_);
    if (created_ms_) return *created_ms_;
  }
  const auto record = run->metadata().task(run->flow, run->run, step, task);
  if (!record) throw not_found("Task '" + pathspec() + "' is gone.");
  const std::scoped_lock lock(mutex_);
  return *(created_ms_ = record->created_ms);
}

std::optional<int> TaskState::done_attempt() const {
  std::optional<int> seen;
  {
    const std::scoped_lock lock(mutex_);
    if (is_final_) return done_;
    seen = done_;
  }
  // An attempt that ended well is the last one.
  const bool is_last = seen && (attempt || leads_to_true(pointer_of(*seen, "_task_ok")));
  auto found = seen;
  if (!is_last) {
    const auto done = run->metadata().done_attempts(run->flow, run->run, step, task);
    if (attempt)
      found = std::find(done.begin(), done.end(), *attempt) == done.end() ? std::nullopt : attempt;
    else
      found = done.empty() ? std::nullopt : std::optional(done.back());
  }
  const std::scoped_lock lock(mutex_);
  if (found != done_) {
    pointers_.clear();
    all_pointers_ = nullptr;
    table_ = nullptr;
  }
  done_ = found;
  is_final_ = is_final_ || is_last;
  return found;
}

std::optional<metadata::ArtifactRecord> TaskState::pointer_of(int number, std::string_view name) const {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = pointers_.find(name); done_ == number && found != pointers_.end()) return found->second;
  }
  auto read = run->metadata().artifact(run->flow, run->run, step, task, number, std::string(name));
  const std::scoped_lock lock(mutex_);
  // What is absent is not remembered: official Metaflow writes pointers after it has marked the attempt as done.
  if (read && done_ == number) pointers_.insert_or_assign(std::string(name), *read);
  return read;
}

std::optional<metadata::ArtifactRecord> TaskState::pointer(std::string_view name) const {
  const auto number = done_attempt();
  if (!number) return std::nullopt;
  return pointer_of(*number, name);
}

bool TaskState::is_true(std::string_view name) const { return leads_to_true(pointer(name)); }

std::shared_ptr<const Pointers> TaskState::pointers() const {
  const auto number = done_attempt();
  if (!number) return std::make_shared<const Pointers>();
  {
    const std::scoped_lock lock(mutex_);
    if (all_pointers_ && done_ == number) return all_pointers_;
  }
  auto read = std::make_shared<const Pointers>(
      run->metadata().artifacts(run->flow, run->run, step, task, number).value_or(Pointers()));
  const std::scoped_lock lock(mutex_);
  if (done_ == number) all_pointers_ = read;
  return read;
}

std::shared_ptr<const datastore::ArtifactTable> TaskState::table() const {
  const auto number = done_attempt();
  const auto any_pointer = pointer("_task_ok");
  if (!number || !any_pointer) return nullptr;
  {
    const std::scoped_lock lock(mutex_);
    if (table_ && done_ == number) return table_;
  }
  auto found = run->session->data(root_of(*any_pointer), run->flow).tasks.read(path(), *number);
  if (!found) return nullptr;
  auto read = std::make_shared<const datastore::ArtifactTable>(std::move(*found));
  const std::scoped_lock lock(mutex_);
  if (done_ == number) table_ = read;
  return read;
}

std::shared_ptr<const TaskState> TaskState::origin() const {
  const auto origin_task = newest_own_value("origin-task-id");
  const auto origin_run = newest_own_value("origin-run-id");
  if (!origin_task || !origin_run) return nullptr;
  return std::make_shared<const TaskState>(std::make_shared<const RunState>(run->session, run->flow, *origin_run), step,
                                           *origin_task, std::nullopt);
}

std::vector<metadata::Datum> TaskState::data() const {
  auto own = run->metadata().data(run->flow, run->run, step, task);
  if (attempt) std::erase_if(own, [&](const auto& datum) { return datum.attempt && datum.attempt != attempt; });
  if (const auto original = origin()) {
    const auto has = [&](const std::string& field) {
      return std::any_of(own.begin(), own.end(), [&](const auto& datum) { return datum.field == field; });
    };
    auto theirs = original->data();
    std::erase_if(theirs, [&](const auto& datum) { return has(datum.field); });
    own.insert(own.end(), theirs.begin(), theirs.end());
    std::stable_sort(own.begin(), own.end(), [](auto& a, auto& b) { return a.created_ms > b.created_ms; });
  }
  return own;
}

std::optional<std::string> TaskState::newest_value(std::string_view field) const {
  if (auto own = newest_own_value(field)) return own;
  const auto original = origin();
  return original ? original->newest_value(field) : std::nullopt;
}

std::optional<std::string> TaskState::newest_own_value(std::string_view field) const {
  const auto datum = run->metadata().newest_datum(run->flow, run->run, step, task, field);
  if (!datum || datum->value == "None") return std::nullopt;
  return datum->json.empty() ? datum->value : datum->json;
}

int TaskState::latest_attempt() const {
  if (attempt) return *attempt;
  const auto text = newest_own_value("attempt").value_or("0");
  if (text.size() != 1 || text[0] < '0' || text[0] > '9')
    throw Error(ErrorCode::corrupt,
                fmt::format("the attempt recorded for {} is '{}', which is no number", pathspec(), text));
  return text[0] - '0';
}

Place TaskState::place() const {
  {
    const std::scoped_lock lock(mutex_);
    if (place_) return *place_;
  }
  const auto text = newest_value("foreach-execution-path");
  auto read = parse_place(text.value_or(""), pathspec());
  // A task that has only just started may have it recorded in the next moment.
  if (!text && !done_attempt()) return read;
  const std::scoped_lock lock(mutex_);
  return *(place_ = std::move(read));
}

std::shared_ptr<const TaskState> open_task(const std::shared_ptr<const RunState>& run, std::string step,
                                           std::string task) {
  const auto record = run->metadata().task(run->flow, run->run, step, task);
  if (!record)
    throw not_found(
        fmt::format("There is no task '{}/{}/{}' below {}.", run->pathspec(), step, task, run->session->root()));
  return std::make_shared<const TaskState>(run, std::move(step), std::move(task), record->created_ms);
}

/// `:root:/data/proj/.metaflow` is the folder in which an artifact lies.
std::string root_of(const metadata::ArtifactRecord& pointer) {
  constexpr std::string_view prefix = ":root:";
  if (!is_readable(pointer.ds_type) || !pointer.location.starts_with(prefix))
    throw Error(ErrorCode::unavailable,
                fmt::format("it is kept in a datastore of type '{}' at '{}', which cannot be read here",
                            pointer.ds_type, pointer.location));
  return pointer.location.substr(prefix.size());
}

Buffer load(const TaskState& task, const metadata::ArtifactRecord& pointer) {
  auto pickle = load_as_stored(task, pointer);
  if (!mentions_included_file(pickle)) return pickle;
  const auto value = pickle::decode(pickle.span());
  const auto* descriptor = descriptor_of(value);
  return descriptor == nullptr ? std::move(pickle) : included_content(*descriptor);
}

std::optional<std::uint64_t> included_size(const TaskState& task, const metadata::ArtifactRecord& pointer) {
  const auto value = pickle::decode(load_as_stored(task, pointer));
  const auto* descriptor = descriptor_of(value);
  const auto* size = descriptor == nullptr ? nullptr : descriptor->find("size");
  if (size == nullptr || size->is_none()) return std::nullopt;
  return static_cast<std::uint64_t>(size->as_integer());
}

}  // namespace metaflow::client::detail
