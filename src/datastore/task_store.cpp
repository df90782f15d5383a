#include "datastore/task_store.hpp"

#include <array>
#include <limits>

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

/// Reads what describe() wrote, or official: the members `objects` and `info`, in either order. Every task of a foreach reads its
/// parent's table, so no tree is made of it.
class TableReader final : public JsonHandler {
 public:
  explicit TableReader(const std::string& file) : file_(file) {}

  ArtifactTable read(std::string_view text) {
    read_json(text, file_, *this);
    if (!has_objects_) throw damaged("objects", "is missing");
    std::erase_if(table_, [](const auto& entry) { return entry.second.key.empty(); });  // info about nothing
    return std::move(table_);
  }

  bool start_object(std::size_t) override {
    if (depth_ == 1 && path_[0] == "objects") has_objects_ = true;
    if (depth_ == 2 && path_[0] == "objects") throw damaged(path_[1], "has the wrong type");
    ++depth_;
    return true;
  }
  bool end_object() override { return --depth_, true; }
  bool start_array(std::size_t) override {
    refuse_elsewhere();
    return ++depth_, true;
  }
  bool end_array() override { return --depth_, true; }
  bool key(std::string& name) override {
    if (depth_ <= path_.size()) path_[depth_ - 1] = std::move(name);
    return true;
  }
  bool string(std::string& value) override {
    if (is_key()) {
      entry().key = std::move(value);
    } else if (is_about("type")) {
      entry().type = std::move(value);
    } else if (is_about("encoding")) {
      entry().encoding = std::move(value);
    } else {
      refuse_elsewhere();
    }
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (is_about("size") && value <= std::numeric_limits<std::int64_t>::max())
      entry().size = value;
    else
      refuse_elsewhere();
    return true;
  }
  bool number_integer(number_integer_t) override { return refuse_elsewhere(), true; }
  bool number_float(number_float_t, const string_t&) override { return refuse_elsewhere(), true; }
  bool boolean(bool) override { return refuse_elsewhere(), true; }
  // A type that is null comes from older writers; what the value is shows its pickle.
  bool null() override { return is_about("type") || (refuse_elsewhere(), true); }

 private:
  bool is_key() const { return depth_ == 2 && path_[0] == "objects"; }
  bool is_about(std::string_view member) const { return depth_ == 3 && path_[0] == "info" && path_[2] == member; }
  ArtifactReference& entry() {
    // A member `encoding` that is missing stands for the oldest one.
    return table_.try_emplace(path_[1], ArtifactReference{.key = "", .type = "", .encoding = "gzip+pickle-v2"})
        .first->second;
  }
  /// What has come is of the wrong type for its place, if that place is one that is read.
  void refuse_elsewhere() const {
    if (depth_ == 0 || (depth_ == 1 && path_[0] == "objects"))
      throw damaged("objects", "is missing or has the wrong type");
    if (is_key()) throw damaged(path_[1], "has the wrong type");
    if (is_about("size") || is_about("encoding")) throw damaged(path_[2], "has the wrong type");
  }
  Error damaged(const std::string& member, const char* what) const {
    return {ErrorCode::corrupt, "'" + file_ + "' is damaged: '" + member + "' " + what};
  }

  const std::string& file_;
  std::size_t depth_ = 0;
  std::array<std::string, 3> path_;  // of the member being read
  bool has_objects_ = false;
  ArtifactTable table_;
};

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
  // Official's resume reads every data.json of a run, also of attempts that are not done: half of one, left by a process
  // that was killed, would stop it.
  store_.put(key(task, attempt, "data.json"), pieces(describe(artifacts, store_.type(), attempt)));
  store_.put(key(task, attempt, "DONE.lock"), pieces("\"\""), storage::Visibility::plain);
}

std::vector<std::string> TaskStore::tasks(const std::string& run, const std::string& step) const {
  auto names = store_.list(fmt::format("{}/{}/{}", flow_, run, step));
  std::erase(names, "_meta");  // local metadata shares the folder
  return names;
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
  return std::move(read_all({&task, 1}).front());
}

std::vector<std::optional<ArtifactTable>> TaskStore::read_all(std::span<const TaskPath> tasks) const {
  // Of most tasks the first attempt is done and there is no other, which takes one round of questions to find out.
  std::vector<std::string> keys;
  for (const auto& task : tasks)
    for (const auto& [attempt, file] : {std::pair(1, "attempt.json"), {0, "DONE.lock"}, {0, "data.json"}})
      keys.push_back(key(task, attempt, file));
  const auto values = store_.get_all(keys);
  std::vector<std::optional<ArtifactTable>> tables;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const auto &has_second = values[3 * i], &is_done = values[3 * i + 1], &table = values[3 * i + 2];
    const bool is_usual = !has_second && is_done;
    tables.push_back(is_usual ? parse_table(tasks[i], 0, table) : read_latest(tasks[i]));
  }
  return tables;
}

std::optional<ArtifactTable> TaskStore::read_latest(const TaskPath& task) const {
  const auto attempt = latest_attempt(task);
  if (!attempt) return std::nullopt;
  return read(task, *attempt);
}

std::optional<ArtifactTable> TaskStore::read(const TaskPath& task, int attempt) const {
  if (!store_.has(key(task, attempt, "DONE.lock"))) return std::nullopt;
  return parse_table(task, attempt, store_.get(key(task, attempt, "data.json")));
}

ArtifactTable TaskStore::parse_table(const TaskPath& task, int attempt, const std::optional<Buffer>& bytes) const {
  const auto shown = store_.root() + '/' + key(task, attempt, "data.json");
  if (!bytes) throw Error(ErrorCode::corrupt, "'" + shown + "' is missing, though the attempt is marked as done");
  return TableReader(shown).read(bytes->text());
}

std::string TaskStore::log_key(const TaskPath& task, int attempt, LogSource source, LogStream stream) const {
  return key(task, attempt, file_name(source, stream));
}

void TaskStore::append_log(const TaskPath& task, int attempt, LogSource source, LogStream stream,
                           std::string_view lines) {
  store_.append(log_key(task, attempt, source, stream), lines);
}

void TaskStore::settle_log(const TaskPath& task, int attempt, LogSource source, LogStream stream) {
  store_.settle(log_key(task, attempt, source, stream));
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
