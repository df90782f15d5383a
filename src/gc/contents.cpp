#include "gc/contents.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <mutex>

#include <metaflow/error.hpp>

#include "base/files.hpp"
#include "base/parallel.hpp"
#include "datastore/task_store.hpp"
#include "storage/object_store.hpp"

namespace metaflow::gc {
namespace {

constexpr std::size_t key_length = 40;
constexpr std::string_view parameters_step = "_parameters";

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }
bool is_key(std::string_view text) { return text.size() == key_length && std::ranges::all_of(text, is_hex); }

/// Calls `take` for each word of 40 hexadecimal digits.
template <class Take>
void for_each_key(std::string_view text, Take take) {
  for (std::size_t i = 0; i < text.size();) {
    auto end = i;
    while (end < text.size() && is_hex(text[end])) ++end;
    if (end - i == key_length) take(text.substr(i, key_length));
    i = end + 1;
  }
}

/// What the names of a task's files say of one attempt.
struct Attempt {
  std::optional<std::int64_t> started_s;
  bool has_table = false, is_done = false, has_ended = false;
};

/// What one task adds to its run.
struct TaskFindings {
  Usage records, logs;
  std::vector<std::uint32_t> blobs;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> lengths;
  std::vector<std::string> missing;
  std::optional<std::string> origin, damage;
  std::optional<std::int64_t> unfinished_since_s;
  std::int64_t changed_s = 0;
  bool is_done = false;

  void count(const FolderEntry& entry, bool is_log) {
    (is_log ? logs : records) += {1, entry.disk_bytes};
    changed_s = std::max(changed_s, entry.written_s);
  }
};

/// A number and what follows it: `0.data.json` is attempt 0 and `data.json`. Nothing for other names.
std::optional<std::pair<std::size_t, std::string_view>> attempt_file(std::string_view name, char separator) {
  if (name.size() < 3 || name[1] != separator || name[0] < '0' || name[0] >= '0' + datastore::max_attempts)
    return std::nullopt;
  return std::pair(static_cast<std::size_t>(name[0] - '0'), name.substr(2));
}

class FlowReader {
 public:
  FlowReader(const std::string& root, const std::string& flow, const Progress& progress)
      : root_(root),
        flow_(flow),
        progress_(progress),
        store_(storage::open_directory_store(root)),
        metadata_(metadata::open_local_metadata(root)),
        tasks_(*store_, flow) {
    contents_.flow = flow;
  }

  FlowContents read() {
    read_blobs();
    for (const auto& entry : folder_entries(path()))
      if (entry.is_folder && entry.name != "_meta" && entry.name != "data" && !entry.name.starts_with('.'))
        read_run(entry.name);
    std::ranges::sort(contents_.runs,
                      [](const RunContents& a, const RunContents& b) { return created(a) > created(b); });
    return std::move(contents_);
  }

 private:
  using TaskName = std::pair<std::string, std::string>;  // step, task
  using Attempts = std::array<Attempt, datastore::max_attempts>;

  static std::pair<std::int64_t, std::string_view> created(const RunContents& run) {
    return {run.record ? run.record->created_ms : 0, run.id};
  }

  std::string path() const { return root_ + '/' + flow_; }

  void read_blobs();
  void read_run(const std::string& id);
  std::vector<TaskName> list_tasks(const std::string& id, RunContents& run) const;
  std::set<std::string> end_steps(const std::string& id, const std::vector<TaskName>& tasks) const;
  TaskFindings read_task(const std::string& run, const std::string& step, const std::string& task) const;
  void read_records(const datastore::TaskPath& task, const Attempts& attempts, TaskFindings& findings) const;
  void read_table(const datastore::TaskPath& task, int attempt, TaskFindings& findings) const;
  void take_keys_of(const std::string& file, TaskFindings& findings) const;
  std::optional<std::uint32_t> take_key(std::string_view key, TaskFindings& findings) const;
  void count_tree(const std::string& folder, Usage& usage) const;

  const std::string& root_;
  const std::string& flow_;
  const Progress& progress_;
  std::unique_ptr<storage::ObjectStore> store_;
  std::unique_ptr<metadata::Metadata> metadata_;
  datastore::TaskStore tasks_;
  FlowContents contents_;
  std::size_t tasks_read_ = 0;
};

/// What one of the 256 folders of blobs holds.
struct BlobFolder {
  std::vector<Blob> blobs;
  std::vector<Draft> drafts;

  void add(const std::string& folder, const FolderEntry& entry) {
    const std::string_view name = entry.name;
    if (is_key(name) && name.starts_with(folder)) {
      auto& blob = blobs.emplace_back(Blob{.digits = {}, .disk_bytes = entry.disk_bytes, .written_s = entry.written_s});
      std::ranges::copy(name, blob.digits.begin());
    } else if (name.ends_with("_meta") && !blobs.empty() && blobs.back().key() == name.substr(0, name.size() - 5)) {
      blobs.back().has_side_file = true;
      blobs.back().disk_bytes += entry.disk_bytes;
    } else if (is_draft_name(name)) {
      drafts.push_back({folder + '/' + entry.name, entry.disk_bytes, entry.written_s});
    }
  }
};

void FlowReader::read_blobs() {
  std::vector<std::string> names;
  for (const auto& entry : folder_entries(path() + "/data"))
    if (entry.is_folder) names.push_back(entry.name);
  std::vector<BlobFolder> folders(names.size());
  for_each_index(names.size(), [&](std::size_t i) {
    for (const auto& entry : folder_entries(path() + "/data/" + names[i])) folders[i].add(names[i], entry);
  });
  for (auto& folder : folders) {
    contents_.blobs.insert(contents_.blobs.end(), folder.blobs.begin(), folder.blobs.end());
    std::ranges::move(folder.drafts, std::back_inserter(contents_.drafts));
  }
}

void FlowReader::read_run(const std::string& id) {
  RunContents run{.id = id};
  const auto note = [&](const std::optional<std::string>& damage) {
    if (!run.damage) run.damage = damage;
  };
  try {
    run.record = metadata_->run(flow_, id);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::corrupt) throw;
    note(error.what());
  }
  if (run.record) run.changed_s = run.record->created_ms / 1000;
  const auto tasks = list_tasks(id, run);
  count_tree(card_folder(root_, flow_, id), run.records);
  const auto ends = end_steps(id, tasks);

  std::vector<std::uint8_t> is_needed(contents_.blobs.size());
  std::mutex mutex;  // guards run, is_needed and contents_
  constexpr std::size_t between_words = 2000;
  for (std::size_t begin = 0; begin < tasks.size(); begin += between_words) {
    for_each_index(std::min(between_words, tasks.size() - begin), [&](std::size_t i) {
      const auto& [step, task] = tasks[begin + i];
      const auto findings = read_task(id, step, task);
      const std::scoped_lock lock(mutex);
      run.tasks += step == parameters_step ? 0 : 1;
      run.records += findings.records;
      run.logs += findings.logs;
      for (const auto blob : findings.blobs) is_needed[blob] = 1;
      for (const auto& [blob, length] : findings.lengths) contents_.blobs[blob].logical_bytes = length;
      contents_.missing.insert(findings.missing.begin(), findings.missing.end());
      if (findings.origin) run.origins.insert(*findings.origin);
      run.unfinished_since_s = std::max(run.unfinished_since_s, findings.unfinished_since_s);
      run.changed_s = std::max(run.changed_s, findings.changed_s);
      run.ended = run.ended || (findings.is_done && ends.contains(step));
      note(findings.damage);
    });
    tasks_read_ += std::min(between_words, tasks.size() - begin);
    progress_(tasks_read_);
  }
  for (std::size_t i = 0; i < is_needed.size(); ++i)
    if (is_needed[i] != 0) run.blobs.push_back(static_cast<std::uint32_t>(i));
  contents_.runs.push_back(std::move(run));
}

/// Counts what lies above the tasks.
std::vector<FlowReader::TaskName> FlowReader::list_tasks(const std::string& id, RunContents& run) const {
  std::vector<TaskName> tasks;
  const auto run_folder = path() + '/' + id;
  count_tree(run_folder + "/_meta", run.records);
  for (const auto& step : folder_entries(run_folder)) {
    if (!step.is_folder || step.name == "_meta") continue;
    const auto step_folder = run_folder + '/' + step.name;
    count_tree(step_folder + "/_meta", run.records);
    for (const auto& task : folder_entries(step_folder))
      if (task.is_folder && task.name != "_meta") tasks.emplace_back(step.name, task.name);
  }
  return tasks;
}

/// Names of the last step, as the parameters' task says it; `end` where none does.
std::set<std::string> FlowReader::end_steps(const std::string& id, const std::vector<TaskName>& tasks) const {
  std::set<std::string> names;
  for (const auto& [step, task] : tasks) {
    if (step != parameters_step) continue;
    try {
      if (const auto datum = metadata_->newest_datum(flow_, id, step, task, "end_step")) names.insert(datum->value);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::corrupt) throw;  // then it has not ended, as far as we know
    }
  }
  if (names.empty()) names.insert("end");
  return names;
}

TaskFindings FlowReader::read_task(const std::string& run, const std::string& step, const std::string& task) const {
  const datastore::TaskPath task_path{run, step, task};
  const auto folder = path() + '/' + task_path.text();
  TaskFindings findings;
  Attempts attempts{};
  for (const auto& entry : folder_entries(folder)) {
    if (entry.is_folder) continue;
    findings.count(entry, entry.name.ends_with(".log"));
    const auto file = attempt_file(entry.name, '.');
    if (!file) continue;
    auto& attempt = attempts[file->first];
    if (file->second == "attempt.json") attempt.started_s = entry.written_s;
    if (file->second == "data.json") attempt.has_table = true;
    if (file->second == "DONE.lock") attempt.is_done = attempt.has_ended = true;
    if (file->second == "runtime") attempt.has_ended = true;
    if (file->second == "task_begin" || file->second == "local_metadata")
      take_keys_of(folder + '/' + entry.name, findings);
  }
  const auto latest = std::ranges::find_if(attempts.rbegin(), attempts.rend(),
                                           [](const Attempt& attempt) { return attempt.started_s.has_value(); });
  if (latest != attempts.rend()) {
    findings.is_done = latest->is_done;
    if (!latest->has_ended) findings.unfinished_since_s = latest->started_s;
  }
  try {
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      if (!attempts[i].has_table) continue;
      if (attempts[i].is_done)
        read_table(task_path, static_cast<int>(i), findings);
      else
        take_keys_of(folder + '/' + std::to_string(i) + ".data.json", findings);
    }
    read_records(task_path, attempts, findings);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::corrupt) throw;
    findings.damage = error.what();
  }
  return findings;
}

/// The metadata: pointers where no table says the same, code packages, and the origin of a clone.
void FlowReader::read_records(const datastore::TaskPath& task, const Attempts& attempts, TaskFindings& findings) const {
  const auto folder = path() + '/' + task.text() + "/_meta";
  bool is_clone = false;
  std::array<bool, datastore::max_attempts> has_pointers{};
  for (const auto& entry : folder_entries(folder)) {
    findings.count(entry, false);
    const std::string_view name = entry.name;
    is_clone = is_clone || name.starts_with("sysmeta_origin-task-id_");
    const auto pointer = attempt_file(name, '_');
    const bool is_pointer = pointer && pointer->second.starts_with("artifact_");
    if (is_pointer) has_pointers[pointer->first] = true;
    if (name.starts_with("sysmeta_code-package_") || (is_pointer && !attempts[pointer->first].has_table))
      take_keys_of(folder + '/' + entry.name, findings);
  }
  for (std::size_t i = 0; i < attempts.size(); ++i)
    if (attempts[i].is_done && !attempts[i].has_table && !has_pointers[i])
      throw Error(ErrorCode::corrupt, "'" + path() + '/' + task.text() + '/' + std::to_string(i) +
                                          ".data.json' is missing, though the attempt is marked as done");
  if (!is_clone) return;
  if (const auto origin = metadata_->newest_datum(flow_, task.run, task.step, task.task, "origin-run-id"))
    findings.origin = origin->value;
}

void FlowReader::read_table(const datastore::TaskPath& task, int attempt, TaskFindings& findings) const {
  const auto table = tasks_.read(task, attempt);
  if (!table) return;  // taken away since the folder was listed
  for (const auto& [name, reference] : *table)
    if (const auto blob = take_key(reference.key, findings)) findings.lengths.emplace_back(*blob, reference.size);
}

void FlowReader::take_keys_of(const std::string& file, TaskFindings& findings) const {
  const auto text = read_text_file(file);
  if (text) for_each_key(*text, [&](std::string_view key) { take_key(key, findings); });
}

std::optional<std::uint32_t> FlowReader::take_key(std::string_view key, TaskFindings& findings) const {
  const auto& blobs = contents_.blobs;
  const auto found = std::ranges::lower_bound(blobs, key, {}, [](const Blob& blob) { return blob.key(); });
  if (found == blobs.end() || found->key() != key) {
    findings.missing.emplace_back(key);
    return std::nullopt;
  }
  return findings.blobs.emplace_back(static_cast<std::uint32_t>(found - blobs.begin()));
}

void FlowReader::count_tree(const std::string& folder, Usage& usage) const {
  for (const auto& entry : folder_entries(folder)) {
    if (entry.is_folder)
      count_tree(folder + '/' + entry.name, usage);
    else
      usage += {1, entry.disk_bytes};
  }
}

}  // namespace

FlowContents read_contents(const std::string& root, const std::string& flow, const Progress& progress) {
  return FlowReader(root, flow, progress).read();
}

std::string card_folder(const std::string& root, const std::string& flow, const std::string& run) {
  return root + "/mf.cards/" + flow + "/runs/" + run;
}

}  // namespace metaflow::gc
