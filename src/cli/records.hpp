#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include <metaflow/client.hpp>

#include "base/json.hpp"

/// Runs, steps and tasks for `metaflow ls` and `metaflow inspect`: found by what was typed, and told as JSON.
namespace metaflow::cli {

/// Parts of `Flow/run/step/task/artifact`, at most `most` of them; a slash at the end is forgiven. Error(usage) otherwise.
std::vector<std::string> parse_record_path(std::string_view text, std::size_t most);

/// Where the records are. Error(not_found) when nothing has run here.
void require_records();

// Each says what there is instead when there is no such thing: Error(not_found).
client::Flow find_flow(const std::string& name, const client::Options& options);
client::Run find_run(const client::Flow& flow, const std::string& id);
client::Step find_step(const client::Run& run, const std::string& name);
client::Task find_task(const client::Step& step, const std::string& id);

/// Number of tasks by their status.
struct TaskCounts {
  std::array<std::size_t, 4> by_status{};  ///< in the order of client::Status

  std::size_t total() const;
  std::size_t operator[](client::Status status) const { return by_status[static_cast<std::size_t>(status)]; }
};

/// What listings say of a run, step or task; each is read once.
struct RunFacts {
  explicit RunFacts(const client::Run& run);

  std::string id, pathspec, user;
  client::Status status;
  client::Time started;
  std::optional<client::Time> ended;
  std::set<std::string> user_tags, system_tags;
};
struct StepFacts {
  explicit StepFacts(const client::Step& step);

  std::string id, pathspec;
  TaskCounts tasks;
  client::Time started;
  std::optional<client::Time> ended;
};
struct TaskFacts {
  explicit TaskFacts(const client::Task& task);

  std::string id, pathspec;
  client::Status status;
  std::optional<std::int64_t> index;
  int attempt;
  client::Time started;
  std::optional<client::Time> ended;
};

JsonValue to_json(const RunFacts& run);
JsonValue to_json(const StepFacts& step);
JsonValue to_json(const TaskFacts& task);
/// One document on standard output.
void print_json(const JsonValue& document);

/// Steps and tasks in the order in which they started.
std::vector<client::Step> steps_in_order(const client::Run& run);
std::vector<client::Task> tasks_in_order(const client::Step& step);

}  // namespace metaflow::cli
