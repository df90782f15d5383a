#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>

#include <fmt/format.h>
#include <metaflow/error.hpp>

#include "base/configuration.hpp"
#include "base/files.hpp"
#include "base/system_error.hpp"
#include "base/text.hpp"
#include "base/version.hpp"
#include "metadata/local_records.hpp"
#include "metadata/metadata.hpp"

namespace metaflow::metadata {
namespace {

constexpr std::string_view self_file = "/_meta/_self.json";
constexpr std::string_view datum_prefix = "sysmeta_";
constexpr std::string_view done_prefix = "sysmeta_attempt-done_";

/// Ids are mostly numbers without leading zeros: the longer is the larger.
bool is_newer_id(const std::string& a, const std::string& b) {
  return a.size() != b.size() ? a.size() > b.size() : a > b;
}

/// Orders by time of creation, the last first.
template <class Record, class Id>
void sort_newest_first(std::vector<Record>& records, std::int64_t Record::*created, Id id) {
  std::ranges::sort(records, [&](const Record& a, const Record& b) {
    return a.*created != b.*created ? a.*created > b.*created : is_newer_id(id(a), id(b));
  });
}

std::string datum_name(const Datum& datum) {
  return fmt::format("{}{}_{}.json", datum_prefix, datum.field, datum.created_ms);
}

std::set<std::string> system_tags(const Identity& identity) {
  const auto runtime = setting("RUNTIME_NAME").value_or("dev");
  return {identity.name_space(), "runtime:" + runtime, "metaflow_version:" + std::string(version)};
}

/// Holds a lock on a folder: two of our processes that change one run take turns. Official Metaflow does not know it;
/// against that one, only reading back helps.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder) : folder_(open_file(folder, O_RDONLY | O_DIRECTORY)) {
    for (int tries = 0; ::flock(folder_.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
      if (errno != EWOULDBLOCK && errno != EINTR) throw system_error("cannot lock '" + folder + "'", errno);
      if (tries == 500) {
        throw Error(ErrorCode::unavailable, "'" + folder + "' is being changed by another process; try again");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

 private:
  FileDescriptor folder_;
};

/// A lock on the folder of a run, shared by those who execute it. (Its `_meta` is locked to change tags.)
class LocalHold final : public RunHold {
 public:
  explicit LocalHold(FileDescriptor folder) : folder_(std::move(folder)) {}

 private:
  FileDescriptor folder_;
};

/// Official Metaflow holds no run.
bool is_ours(const RunRecord& run) {
  return std::ranges::any_of(run.system_tags, [](const std::string& tag) {
    return tag.starts_with("metaflow_version:") && tag.find("+cpp.") != tag.npos;
  });
}

class LocalMetadata final : public Metadata {
 public:
  LocalMetadata(std::string root, Clock& clock, std::set<std::string> more_system_tags)
      : root_(std::move(root)), clock_(clock), more_system_tags_(std::move(more_system_tags)) {}

  std::string folder() const override { return root_; }

  RunRecord create_run(const std::string& flow, const std::set<std::string>& tags) override;
  RunRecord create_run_as(const std::string& flow, const std::string& run, const std::set<std::string>& tags) override;
  RunRecord open_run_as(const std::string& flow, const std::string& run, const std::set<std::string>& tags) override;
  std::unique_ptr<RunHold> hold_run(const RunRecord& run) override;
  std::optional<bool> is_held(const RunRecord& run) const override;
  void add_task(const RunRecord& run, const std::string& step, const std::string& task, std::int64_t created_ms,
                const std::vector<Datum>& data) override;
  void add_data(const RunRecord& run, const std::string& step, const std::string& task,
                const std::vector<Datum>& data) override;
  void add_artifacts(const RunRecord& run, const std::string& step, const std::string& task, int attempt,
                     const std::map<std::string, ArtifactReference, std::less<>>& artifacts, const std::string& ds_type,
                     const std::string& ds_root) override;
  void set_latest_run(const std::string& flow, const std::string& run) override;
  std::optional<std::string> latest_run(const std::string& flow) const override;
  std::vector<std::string> flows() const override;
  std::optional<std::int64_t> flow_created_ms(const std::string& flow) const override;
  std::vector<RunRecord> runs(const std::string& flow) const override;
  std::optional<RunRecord> run(const std::string& flow, const std::string& run) const override;
  std::vector<std::pair<std::string, std::int64_t>> steps(const std::string& flow,
                                                          const std::string& run) const override;
  std::vector<TaskRecord> tasks(const std::string& flow, const std::string& run,
                                const std::string& step) const override;
  std::optional<TaskRecord> task(const std::string& flow, const std::string& run, const std::string& step,
                                 const std::string& task) const override;
  std::vector<Datum> data(const std::string& flow, const std::string& run, const std::string& step,
                          const std::string& task) const override;
  std::optional<Datum> newest_datum(const std::string& flow, const std::string& run, const std::string& step,
                                    const std::string& task, std::string_view field) const override;
  std::vector<int> done_attempts(const std::string& flow, const std::string& run, const std::string& step,
                                 const std::string& task) const override;
  std::optional<ArtifactRecord> artifact(const std::string& flow, const std::string& run, const std::string& step,
                                         const std::string& task, int attempt, const std::string& name) const override;
  std::optional<std::vector<ArtifactRecord>> artifacts(const std::string& flow, const std::string& run,
                                                       const std::string& step, const std::string& task,
                                                       std::optional<int> attempt) const override;
  RunRecord change_tags(const std::string& flow, const std::string& run, const std::set<std::string>& add,
                        const std::set<std::string>& remove) override;

 private:
  /// What `<parent>/<name>/_meta/_self.json` says of each child.
  struct Child {
    std::string name;
    std::int64_t created_ms;
  };

  void create_flow(const std::string& flow, std::int64_t created_ms);
  void require_run(const RunRecord& run) const;
  RunRecord write_run(const std::string& flow, const std::string& run, const std::set<std::string>& tags,
                      std::int64_t created_ms);
  std::int64_t now_ms() const { return clock_.now_microseconds() / 1000; }
  /// For what a task leaves: not before a task that was added here, as those that `resume` takes over are dated one
  /// millisecond after another, faster than the clock goes.
  std::int64_t now_for_task_ms() const { return std::max(now_ms(), newest_task_ms_.load()); }
  /// Folder of a flow, run, step or task. Error(invalid) for parts that would lead elsewhere.
  std::string folder(std::initializer_list<std::string_view> parts) const;
  std::vector<Child> children(const std::string& folder) const;
  bool create_task(const std::string& task_folder, const RunRecord& run, const Place& place, const std::string& record,
                   const std::vector<Datum>& data);
  void add_datum(const RunRecord& run, const Place& place, const std::string& meta, Datum datum);

  const std::string root_;
  std::atomic<std::int64_t> newest_task_ms_ = 0;
  Clock& clock_;
  const std::set<std::string> more_system_tags_;
};

std::string LocalMetadata::folder(std::initializer_list<std::string_view> parts) const {
  auto path = root_;
  for (const auto part : parts) {
    if (part.empty() || part == "." || part == ".." || part.find('/') != part.npos || part.find('\0') != part.npos) {
      throw Error(ErrorCode::invalid, "'" + std::string(part) + "' is not the name of a flow, run, step or task");
    }
    path.append(1, '/').append(part);
  }
  return path;
}

// ---- Writing

RunRecord LocalMetadata::create_run(const std::string& flow, const std::set<std::string>& tags) {
  validate_tags(tags);
  auto id = clock_.now_microseconds();
  create_flow(flow, id / 1000);
  // Making the folder is what takes the id. Dying here leaves an empty folder, which no reader counts as a run.
  while (!make_new_directory(folder({flow, std::to_string(id)}))) ++id;
  return write_run(flow, std::to_string(id), tags, id / 1000);
}

RunRecord LocalMetadata::create_run_as(const std::string& flow, const std::string& run,
                                       const std::set<std::string>& tags) {
  validate_tags(tags);
  const auto now = now_ms();
  const auto run_folder = folder({flow, run});
  create_flow(flow, now);
  if (!make_new_directory(run_folder))
    throw Error(ErrorCode::conflict, "'" + run_folder + "' exists already; choose another run id");
  return write_run(flow, run, tags, now);
}

RunRecord LocalMetadata::open_run_as(const std::string& flow, const std::string& run_id,
                                     const std::set<std::string>& tags) {
  validate_tags(tags);
  if (auto known = run(flow, run_id)) return *std::move(known);
  const auto now = now_ms();
  create_flow(flow, now);
  // Two that meet here write the same but for the time.
  make_directories(folder({flow, run_id}));
  return write_run(flow, run_id, tags, now);
}

/// The flow's record comes first: a run below a flow that has none would be out of every reader's sight.
void LocalMetadata::create_flow(const std::string& flow, std::int64_t created_ms) {
  const auto file = folder({flow}) + std::string(self_file);
  if (!file_size(file)) create_file(file, flow_text(flow, created_ms));
}

RunRecord LocalMetadata::write_run(const std::string& flow, const std::string& run, const std::set<std::string>& tags,
                                   std::int64_t created_ms) {
  const auto identity = current_identity();
  RunRecord record{.flow = flow,
                   .run = run,
                   .user = identity.user,
                   .tags = tags,
                   .system_tags = system_tags(identity),
                   .created_ms = created_ms};
  record.system_tags.insert(more_system_tags_.begin(), more_system_tags_.end());
  for (const auto& tag : record.system_tags) record.tags.erase(tag);
  replace_file(folder({flow, run}) + std::string(self_file), run_text(record));
  return record;
}

std::unique_ptr<RunHold> LocalMetadata::hold_run(const RunRecord& run) {
  auto run_folder = open_file(folder({run.flow, run.run}), O_RDONLY | O_DIRECTORY);
  // Somebody who asks holds it for a moment. Where there are no locks, is_held() knows as much.
  while (::flock(run_folder.get(), LOCK_SH) != 0 && errno == EINTR) {
  }
  return std::make_unique<LocalHold>(std::move(run_folder));
}

std::optional<bool> LocalMetadata::is_held(const RunRecord& run) const {
  if (!is_ours(run)) return std::nullopt;
  const auto run_folder = open_file(folder({run.flow, run.run}), O_RDONLY | O_DIRECTORY);
  if (::flock(run_folder.get(), LOCK_EX | LOCK_NB) == 0) return false;
  return errno == EWOULDBLOCK || errno == EINTR ? std::optional(true) : std::nullopt;
}

/// Otherwise the task would be made in a place that no reader sees.
void LocalMetadata::require_run(const RunRecord& run) const {
  if (file_size(folder({run.flow, run.run}) + std::string(self_file))) return;
  throw Error(ErrorCode::not_found, "there is no run '" + run.flow + '/' + run.run + "' in '" + root_ +
                                        "'; has the folder been removed or moved while it ran?");
}

void LocalMetadata::add_task(const RunRecord& run, const std::string& step, const std::string& task,
                             std::int64_t created_ms, const std::vector<Datum>& data) {
  require_run(run);
  auto newest = newest_task_ms_.load();
  while (newest < created_ms && !newest_task_ms_.compare_exchange_weak(newest, created_ms)) {
  }
  const auto step_file = folder({run.flow, run.run, step}) + std::string(self_file);
  // Of thousands of tasks one makes the step; looking is cheaper than trying. Two that meet write the same.
  if (!file_size(step_file)) {
    create_file(step_file, child_text(run, {.flow = run.flow, .run = run.run, .step = step, .task = ""}, created_ms));
  }
  const Place place{.flow = run.flow, .run = run.run, .step = step, .task = task};
  const auto task_folder = folder({run.flow, run.run, step, task});
  auto record = child_text(run, place, created_ms);
  // A retry finds its task there already, and leaves its time of creation as it is.
  if (file_size(task_folder + std::string(self_file)) || !create_task(task_folder, run, place, record, data)) {
    create_file(task_folder + std::string(self_file), record);
    add_data(run, step, task, data);
  }
}

/// A new task appears with all its first data, by one rename instead of one for each.
bool LocalMetadata::create_task(const std::string& task_folder, const RunRecord& run, const Place& place,
                                const std::string& record, const std::vector<Datum>& data) {
  std::map<std::string, std::string> files{{"_self.json", record}};
  const auto now = now_ms();
  for (auto datum : data) {
    datum.created_ms = now;
    while (files.contains(datum_name(datum))) ++datum.created_ms;
    files.emplace(datum_name(datum), datum_text(run, place, datum));
  }
  return create_folder(task_folder + "/_meta", files);
}

void LocalMetadata::add_datum(const RunRecord& run, const Place& place, const std::string& meta, Datum datum) {
  // Official keeps the first of two data of one field and millisecond, so each takes a name of its own.
  while (!create_file(meta + datum_name(datum), datum_text(run, place, datum))) ++datum.created_ms;
}

void LocalMetadata::add_data(const RunRecord& run, const std::string& step, const std::string& task,
                             const std::vector<Datum>& data) {
  const auto meta = folder({run.flow, run.run, step, task}) + "/_meta/";
  const Place place{.flow = run.flow, .run = run.run, .step = step, .task = task};
  auto now = now_for_task_ms();
  if (!data.empty() && data.front().attempt.value_or(0) > 0) {
    // Readers go by the newest data, and the clock may have been set back since the attempt before.
    const auto earlier = this->data(run.flow, run.run, step, task);
    if (!earlier.empty()) now = std::max(now, earlier.front().created_ms + 1);
  }
  for (auto datum : data) {
    datum.created_ms = now;
    add_datum(run, place, meta, std::move(datum));
  }
}

void LocalMetadata::add_artifacts(const RunRecord& run, const std::string& step, const std::string& task, int attempt,
                                  const std::map<std::string, ArtifactReference, std::less<>>& artifacts,
                                  const std::string& ds_type, const std::string& ds_root) {
  const auto start = folder({run.flow, run.run, step, task}) + "/_meta/" + std::to_string(attempt) + "_artifact_";
  const Place place{.flow = run.flow, .run = run.run, .step = step, .task = task};
  const PointerTexts texts(run, place, attempt, ds_type, ds_root, now_for_task_ms());
  for (const auto& [name, reference] : artifacts) {
    // In place: nobody reads the pointers of an attempt before its attempt-done, which is written after them.
    write_file_in_place(start + name + ".json", texts.text(name, reference));
  }
}

void LocalMetadata::set_latest_run(const std::string& flow, const std::string& run) {
  replace_file(folder({flow}) + "/latest_run", run);
}

// ---- Reading

std::optional<std::string> LocalMetadata::latest_run(const std::string& flow) const {
  const auto text = read_text_file(folder({flow}) + "/latest_run");
  if (!text || trimmed(*text).empty()) return std::nullopt;
  return std::string(trimmed(*text));
}

std::vector<LocalMetadata::Child> LocalMetadata::children(const std::string& folder) const {
  std::vector<Child> children;
  for (auto& name : list_directory(folder)) {
    const auto file = folder + '/' + name + std::string(self_file);
    // Folders without a record are blobs, include files, or runs that died while being made.
    if (const auto text = read_text_file(file)) children.push_back({std::move(name), parse_created(*text, file)});
  }
  sort_newest_first(children, &Child::created_ms, [](const Child& child) { return child.name; });
  return children;
}

std::vector<std::string> LocalMetadata::flows() const {
  std::vector<std::string> names;
  for (auto& child : children(root_)) names.push_back(std::move(child.name));
  return names;
}

std::optional<std::int64_t> LocalMetadata::flow_created_ms(const std::string& flow) const {
  const auto file = folder({flow}) + std::string(self_file);
  const auto text = read_text_file(file);
  if (!text) return std::nullopt;
  return parse_created(*text, file);
}

std::optional<RunRecord> LocalMetadata::run(const std::string& flow, const std::string& run) const {
  const auto file = folder({flow, run}) + std::string(self_file);
  const auto text = read_text_file(file);
  if (!text) return std::nullopt;
  return parse_run(*text, {.flow = flow, .run = run, .step = "", .task = ""}, file);
}

std::vector<RunRecord> LocalMetadata::runs(const std::string& flow) const {
  std::vector<RunRecord> runs;
  for (const auto& name : list_directory(folder({flow}))) {
    if (auto record = run(flow, name)) runs.push_back(std::move(*record));
  }
  sort_newest_first(runs, &RunRecord::created_ms, [](const RunRecord& record) { return record.run; });
  return runs;
}

std::vector<std::pair<std::string, std::int64_t>> LocalMetadata::steps(const std::string& flow,
                                                                       const std::string& run) const {
  std::vector<std::pair<std::string, std::int64_t>> steps;
  for (auto& child : children(folder({flow, run}))) steps.emplace_back(std::move(child.name), child.created_ms);
  return steps;
}

std::vector<TaskRecord> LocalMetadata::tasks(const std::string& flow, const std::string& run,
                                             const std::string& step) const {
  std::vector<TaskRecord> tasks;
  for (auto& child : children(folder({flow, run, step}))) {
    tasks.push_back({.run = run, .step = step, .task = std::move(child.name), .created_ms = child.created_ms});
  }
  return tasks;
}

std::optional<TaskRecord> LocalMetadata::task(const std::string& flow, const std::string& run, const std::string& step,
                                              const std::string& task) const {
  const auto file = folder({flow, run, step, task}) + std::string(self_file);
  const auto text = read_text_file(file);
  if (!text) return std::nullopt;
  return TaskRecord{.run = run, .step = step, .task = task, .created_ms = parse_created(*text, file)};
}

std::vector<Datum> LocalMetadata::data(const std::string& flow, const std::string& run, const std::string& step,
                                       const std::string& task) const {
  const auto meta = folder({flow, run, step, task}) + "/_meta";
  std::vector<Datum> data;
  for (const auto& name : list_directory(meta)) {
    if (!name.starts_with(datum_prefix) || !name.ends_with(".json")) continue;
    const auto file = meta + '/' + name;
    if (const auto text = read_text_file(file)) data.push_back(parse_datum(*text, file));
  }
  std::ranges::stable_sort(data, std::ranges::greater(), &Datum::created_ms);
  return data;
}

std::optional<int> done_attempt(const std::string& file) {
  const auto text = read_text_file(file);
  if (!text) return std::nullopt;
  const auto datum = parse_datum(*text, file);
  const auto& value = datum.json.empty() ? datum.value : datum.json;
  int attempt = -1;
  const auto* const end = value.data() + value.size();
  if (std::from_chars(value.data(), end, attempt).ptr != end || attempt < 0) {
    throw Error(ErrorCode::corrupt, "'" + file + "' is damaged: '" + value + "' is no attempt");
  }
  return attempt;
}

/// Whether `name` is `sysmeta_<field>_<milliseconds>.json`; another field may begin with this one's name.
bool is_datum_of(std::string_view name, std::string_view field) {
  constexpr std::string_view suffix = ".json";
  const auto head = datum_prefix.size() + field.size() + 1;
  if (name.size() <= head + suffix.size() || !name.starts_with(datum_prefix) || !name.ends_with(suffix)) return false;
  if (name.substr(datum_prefix.size(), field.size()) != field || name[head - 1] != '_') return false;
  const auto digits = name.substr(head, name.size() - head - suffix.size());
  return std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<Datum> LocalMetadata::newest_datum(const std::string& flow, const std::string& run,
                                                 const std::string& step, const std::string& task,
                                                 std::string_view field) const {
  const auto meta = folder({flow, run, step, task}) + "/_meta";
  const auto names = list_directory(meta);
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    if (!is_datum_of(*name, field)) continue;
    const auto file = meta + '/' + *name;
    if (const auto text = read_text_file(file)) return parse_datum(*text, file);
  }
  return std::nullopt;
}

std::vector<int> LocalMetadata::done_attempts(const std::string& flow, const std::string& run, const std::string& step,
                                              const std::string& task) const {
  const auto meta = folder({flow, run, step, task}) + "/_meta";
  std::vector<int> attempts;
  // The names are sorted, and official too takes the last of them.
  for (const auto& name : list_directory(meta)) {
    if (!name.starts_with(done_prefix)) continue;
    if (const auto attempt = done_attempt(meta + '/' + name)) attempts.push_back(*attempt);
  }
  return attempts;
}

std::optional<ArtifactRecord> LocalMetadata::artifact(const std::string& flow, const std::string& run,
                                                      const std::string& step, const std::string& task, int attempt,
                                                      const std::string& name) const {
  if (name.find('/') != name.npos || name.find('\0') != name.npos) return std::nullopt;
  const auto file = fmt::format("{}/_meta/{}_artifact_{}.json", folder({flow, run, step, task}), attempt, name);
  const auto text = read_text_file(file);
  if (!text) return std::nullopt;
  return parse_pointer(*text, attempt, file);
}

std::optional<std::vector<ArtifactRecord>> LocalMetadata::artifacts(const std::string& flow, const std::string& run,
                                                                    const std::string& step, const std::string& task,
                                                                    std::optional<int> attempt) const {
  const auto meta = folder({flow, run, step, task}) + "/_meta";
  const auto done = done_attempts(flow, run, step, task);
  if (done.empty() || (attempt && std::ranges::find(done, *attempt) == done.end())) return std::nullopt;
  if (!attempt) attempt = done.back();
  const auto prefix = std::to_string(*attempt) + "_artifact_";
  std::vector<ArtifactRecord> artifacts;
  for (const auto& name : list_directory(meta)) {
    if (!name.starts_with(prefix) || !name.ends_with(".json")) continue;
    const auto file = meta + '/' + name;
    if (const auto text = read_text_file(file)) artifacts.push_back(parse_pointer(*text, *attempt, file));
  }
  return artifacts;
}

// ---- Tags

RunRecord LocalMetadata::change_tags(const std::string& flow, const std::string& run_id,
                                     const std::set<std::string>& add, const std::set<std::string>& remove) {
  const auto run_folder = folder({flow, run_id});
  const auto file = run_folder + std::string(self_file);
  if (!file_size(file)) throw Error(ErrorCode::not_found, "there is no run '" + flow + '/' + run_id + "'");
  const FolderLock lock(run_folder + "/_meta");
  for (int writes = 0;; ++writes) {
    const auto text = read_text_file(file).value_or("");
    auto record = parse_run(text, {.flow = flow, .run = run_id, .step = "", .task = ""}, file);
    auto tags = changed_tags(record, add, remove);
    // Before the first write: the change may be none. Afterwards: it may have been overwritten meanwhile.
    if (tags == record.tags) return record;
    if (writes == 5) break;
    auto object = parse_json(text, file);
    object["tags"] = tags;
    replace_file(file, dump_json(object));
  }
  throw Error(ErrorCode::conflict,
              "the tags of run '" + flow + '/' + run_id + "' are being changed by others all the time; try again");
}

}  // namespace

std::unique_ptr<Metadata> open_local_metadata(const std::string& root, Clock& clock,
                                              std::set<std::string> more_system_tags) {
  return std::make_unique<LocalMetadata>(root, clock, std::move(more_system_tags));
}

}  // namespace metaflow::metadata
