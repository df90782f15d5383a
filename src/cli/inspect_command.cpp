#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <metaflow/pickle.hpp>
#include <metaflow/value.hpp>

#include "cli/console.hpp"
#include "cli/moment.hpp"
#include "cli/record_commands.hpp"
#include "cli/records.hpp"
#include "cli/suggestion.hpp"
#include "cli/table.hpp"

namespace metaflow::cli {
namespace {

using client::Status;

constexpr std::size_t value_columns = 60;

/// What is read in order to be shown: a large value would take long, and nobody would read it.
constexpr std::uint64_t largest_shown = 1'000'000;

/// `name:   value` lines that line up; values that are empty are left out.
class Facts {
 public:
  void add(std::string name, std::string value) {
    if (!value.empty()) rows_.emplace_back(std::move(name), std::move(value));
  }
  void show() const {
    std::size_t width = 0;
    for (const auto& [name, value] : rows_) width = std::max(width, name.size());
    for (const auto& [name, value] : rows_) print(fmt::format("{:<{}}  {}\n", name + ':', width + 1, value));
  }

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

void show_section(std::string_view heading, const Table& table) {
  if (!table.empty()) print(fmt::format("\n{}\n{}", heading, table.text()));
}

std::string joined(const std::vector<std::string>& texts) {
  constexpr std::size_t most = 5;
  const std::vector<std::string> first(texts.begin(), texts.begin() + std::min(most, texts.size()));
  return fmt::format("{}{}", fmt::join(first, " "),
                     texts.size() > most ? fmt::format(" and {} more", texts.size() - most) : "");
}

/// The value as Python would print it; nothing, with a reason, for one that is large or that only Python can read.
struct ShownValue {
  std::optional<std::string> text;
  std::string reason;
};

ShownValue value_of(const client::DataArtifact& artifact) {
  if (artifact.size().value_or(0) > largest_shown) return {std::nullopt, "too large to show"};
  try {
    return {artifact.value<Value>().repr(), ""};
  } catch (const Error& error) {
    return {std::nullopt, error.what()};
  }
}

std::string clipped_value(const client::DataArtifact& artifact) {
  const auto value = value_of(artifact);
  return value.text ? clipped(*value.text, value_columns) : '(' + clipped(value.reason, value_columns) + ')';
}

JsonValue to_json(const client::DataArtifact& artifact) {
  const auto value = value_of(artifact);
  const auto type = artifact.type();
  const auto size = artifact.size();
  return {{"name", artifact.id()},
          {"type", type ? JsonValue(*type) : JsonValue()},
          {"size", size ? JsonValue(*size) : JsonValue()},
          {"key", artifact.key()},
          {"value", value.text ? JsonValue(*value.text) : JsonValue()}};
}

Table artifact_table(const std::vector<client::DataArtifact>& artifacts) {
  Table table({{"NAME"}, {"SIZE", Align::right}, {"TYPE"}, {"VALUE"}});
  for (const auto& artifact : artifacts) {
    const auto size = artifact.size();
    table.add(
        {artifact.id(), size ? std::to_string(*size) : "", artifact.type().value_or(""), clipped_value(artifact)});
  }
  return table;
}

JsonValue artifact_list(const std::vector<client::DataArtifact>& artifacts) {
  auto list = JsonValue::array();
  for (const auto& artifact : artifacts) list.push_back(to_json(artifact));
  return list;
}

// ---- A flow

struct FlowFacts {
  explicit FlowFacts(const client::Flow& flow) : runs(flow.runs()) {
    for (const auto& run : runs) {
      const auto status = run.status();
      ++by_status[static_cast<std::size_t>(status)];
      const bool is_good = status == Status::done;
      if (is_good && !latest_successful) latest_successful.emplace(run);
    }
  }

  std::vector<client::Run> runs;
  std::array<std::size_t, 4> by_status{};
  std::optional<RunFacts> latest_successful;
};

std::string run_line(const RunFacts& run) {
  return fmt::format("{}, {}, {}", run.id, client::status_name(run.status), moment_text(run.started));
}

void inspect_flow(const client::Flow& flow, bool as_json) {
  const FlowFacts facts(flow);
  const RunFacts latest(facts.runs.front());
  constexpr std::array all{Status::done, Status::caught, Status::failed, Status::unfinished};
  if (as_json) {
    JsonValue counts = {{"total", facts.runs.size()}};
    for (const auto status : all)
      counts[std::string(client::status_name(status))] = facts.by_status[static_cast<std::size_t>(status)];
    print_json({{"flow", flow.id()},
                {"runs", counts},
                {"latest_run", to_json(latest)},
                {"latest_successful_run", facts.latest_successful ? to_json(*facts.latest_successful) : JsonValue()}});
    return;
  }
  std::vector<std::string> counts;
  for (const auto status : all)
    if (const auto count = facts.by_status[static_cast<std::size_t>(status)]; count > 0)
      counts.push_back(fmt::format("{} {}", count, client::status_name(status)));
  Facts shown;
  shown.add("Flow", flow.id());
  shown.add("Runs", fmt::format("{}: {}", facts.runs.size(), fmt::join(counts, ", ")));
  shown.add("Latest", run_line(latest));
  shown.add("Latest done", facts.latest_successful ? run_line(*facts.latest_successful) : "none");
  shown.show();
}

// ---- A run

std::vector<client::DataArtifact> parameters_of(const client::Run& run) {
  try {
    auto artifacts = run.step("_parameters").task().artifacts();
    // Beside the parameters, official and we store the flow's name there.
    std::erase_if(artifacts, [](const auto& artifact) { return artifact.id() == "name"; });
    return artifacts;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    return {};
  }
}

std::vector<client::Task> failed_tasks(const client::Run& run) {
  std::vector<client::Task> failed;
  for (const auto& step : steps_in_order(run))
    for (const auto& task : tasks_in_order(step))
      if (task.status() == Status::failed || task.status() == Status::caught) failed.push_back(task);
  return failed;
}

std::string reason_of(const client::Task& task) {
  const auto failure = task.exception();
  if (!failure) return task.status() == Status::caught ? "caught" : "it died without an exception";
  return failure->type.empty() ? failure->message : failure->type + ": " + failure->message;
}

void inspect_run(const client::Run& run, bool as_json) {
  const RunFacts facts(run);
  std::vector<StepFacts> steps;
  for (const auto& step : steps_in_order(run)) steps.emplace_back(step);
  const auto failed = failed_tasks(run);
  const auto origin = run.origin_pathspec();
  if (as_json) {
    auto object = to_json(facts);
    object["origin"] = origin ? JsonValue(*origin) : JsonValue();
    object["parameters"] = artifact_list(parameters_of(run));
    object["steps"] = JsonValue::array();
    for (const auto& step : steps) object["steps"].push_back(to_json(step));
    object["failed_tasks"] = JsonValue::array();
    for (const auto& task : failed)
      object["failed_tasks"].push_back({{"pathspec", task.pathspec()}, {"reason", reason_of(task)}});
    print_json(object);
    return;
  }
  Facts shown;
  shown.add("Run", facts.pathspec);
  shown.add("Status", std::string(client::status_name(facts.status)));
  shown.add("Started", moment_text(facts.started) + " by " + facts.user);
  shown.add("Took", span_text(facts.started, facts.ended));
  shown.add("Resumed from", origin.value_or(""));
  shown.add("Tags", fmt::format("{}", fmt::join(facts.user_tags, " ")));
  shown.add("System tags", fmt::format("{}", fmt::join(facts.system_tags, " ")));
  shown.show();
  show_section("Parameters", artifact_table(parameters_of(run)));
  Table table({{"STEP"}, {"TASKS", Align::right}, {"DONE", Align::right}, {"STARTED"}, {"TOOK", Align::right}});
  for (const auto& step : steps)
    table.add({step.id, std::to_string(step.tasks.total()), std::to_string(step.tasks[Status::done]),
               moment_text(step.started), span_text(step.started, step.ended)});
  show_section("Steps", table);
  Table failures({{"TASK"}, {"REASON"}});
  for (const auto& task : failed) failures.add({task.pathspec(), clipped(reason_of(task), 100)});
  show_section("Tasks that failed", failures);
}

// ---- A step

std::vector<std::string> names_of(const std::vector<client::Step>& steps) {
  std::vector<std::string> names;
  for (const auto& step : steps) names.push_back(step.id());
  return names;
}

/// A neighbour in the graph; nothing when the run does not describe its graph.
template <class Find>
auto navigated(Find find) -> decltype(find()) {
  try {
    return find();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    return {};
  }
}

void inspect_step(const client::Step& step, bool as_json) {
  const StepFacts facts(step);
  const auto before = names_of(navigated([&] { return step.parent_steps(); }));
  const auto after = names_of(navigated([&] { return step.child_steps(); }));
  if (as_json) {
    auto object = to_json(facts);
    object["parents"] = before;
    object["children"] = after;
    print_json(object);
    return;
  }
  Facts shown;
  shown.add("Step", facts.pathspec);
  std::vector<std::string> counts;
  for (const auto status : {Status::done, Status::caught, Status::failed, Status::unfinished})
    if (facts.tasks[status] > 0)
      counts.push_back(fmt::format("{} {}", facts.tasks[status], client::status_name(status)));
  shown.add("Tasks", fmt::format("{}: {}", facts.tasks.total(), fmt::join(counts, ", ")));
  shown.add("Started", moment_text(facts.started));
  shown.add("Took", span_text(facts.started, facts.ended));
  shown.add("After", joined(before));
  shown.add("Before", joined(after));
  shown.show();
  print(fmt::format("\n'metaflow ls {}' lists its tasks.\n", facts.pathspec));
}

// ---- A task

std::string place_of(const std::vector<ForeachFrame>& frames) {
  std::vector<std::string> texts;
  for (const auto& frame : frames)
    texts.push_back(fmt::format("{}[{}]{}", frame.variable, frame.index,
                                frame.value ? " = " + clipped(*frame.value, 30) : std::string()));
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::vector<client::LogLine> last_lines(const client::Task& task, client::LogStream stream, std::size_t most) {
  auto lines = task.log_lines(stream);
  if (lines.size() > most) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(most));
  return lines;
}

JsonValue text_list(const std::vector<client::LogLine>& lines) {
  auto list = JsonValue::array();
  for (const auto& line : lines) list.push_back(line.text);
  return list;
}

void print_task_json(const client::Task& task, std::size_t most_lines) {
  auto object = to_json(TaskFacts(task));
  object["foreach"] = JsonValue::array();
  for (const auto& frame : task.foreach_stack())
    object["foreach"].push_back({{"step", frame.step},
                                 {"variable", frame.variable},
                                 {"index", frame.index},
                                 {"num_splits", frame.num_splits ? JsonValue(*frame.num_splits) : JsonValue()},
                                 {"value", frame.value ? JsonValue(*frame.value) : JsonValue()}});
  const auto failure = task.exception();
  object["exception"] =
      failure ? JsonValue{{"type", failure->type}, {"message", failure->message}, {"stacktrace", failure->stacktrace}}
              : JsonValue();
  const auto origin = task.origin_pathspec();
  object["origin"] = origin ? JsonValue(*origin) : JsonValue();
  object["parents"] = navigated([&] { return task.parent_task_pathspecs(); });
  object["children"] = navigated([&] { return task.child_task_pathspecs(); });
  object["artifacts"] = artifact_list(task.artifacts());
  object["metadata"] = task.metadata_dict();
  object["stdout"] = text_list(last_lines(task, client::LogStream::out, most_lines));
  object["stderr"] = text_list(last_lines(task, client::LogStream::err, most_lines));
  print_json(object);
}

void show_log(const client::Task& task, client::LogStream stream, std::string_view name, std::size_t most) {
  const auto lines = last_lines(task, stream, most);
  if (lines.empty()) return;
  print(fmt::format("\nEnd of {}\n", name));
  for (const auto& line : lines) print(line.text + '\n');
}

void inspect_task(const client::Task& task, bool as_json, std::size_t most_lines) {
  if (as_json) return print_task_json(task, most_lines);
  const TaskFacts facts(task);
  Facts shown;
  shown.add("Task", facts.pathspec);
  shown.add("Status", std::string(client::status_name(facts.status)));
  shown.add("Attempt", facts.attempt > 0 ? fmt::format("{} (the first is 0)", facts.attempt) : "0");
  shown.add("Started", moment_text(facts.started));
  shown.add("Took", span_text(facts.started, facts.ended));
  shown.add("Foreach", place_of(task.foreach_stack()));
  shown.add("Cloned from", task.origin_pathspec().value_or(""));
  shown.add("After", joined(navigated([&] { return task.parent_task_pathspecs(); })));
  shown.add("Before", joined(navigated([&] { return task.child_task_pathspecs(); })));
  if (facts.status == Status::failed) shown.add("Failed with", clipped(reason_of(task), 200));
  shown.show();
  show_section("Artifacts", artifact_table(task.artifacts()));
  Table metadata({{"METADATA"}, {"VALUE"}});
  for (const auto& [name, value] : task.metadata_dict()) metadata.add({name, clipped(value, value_columns)});
  show_section("Recorded", metadata);
  show_log(task, client::LogStream::out, "standard output", most_lines);
  show_log(task, client::LogStream::err, "standard error", most_lines);
}

// ---- An artifact

client::DataArtifact find_artifact(const client::Task& task, const std::string& name) {
  try {
    return task.data_artifact(name);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    throw Error(error.code(), error.what() + did_you_mean(name, task.artifact_names()), error.headline());
  }
}

void inspect_artifact(const client::DataArtifact& artifact, bool as_json) {
  if (as_json) {
    auto object = to_json(artifact);
    object["pathspec"] = artifact.pathspec();
    return print_json(object);
  }
  const auto size = artifact.size();
  Facts shown;
  shown.add("Artifact", artifact.pathspec());
  shown.add("Type", artifact.type().value_or(""));
  shown.add("Size", size ? fmt::format("{} bytes", *size) : "");
  shown.add("Key", artifact.key());
  shown.show();
  const auto value = value_of(artifact);
  print('\n' + (value.text ? *value.text : '(' + value.reason + ')') + '\n');
}

}  // namespace

Command inspect_command() {
  return {
      .name = "inspect",
      .summary = "Show all about a flow, run, step, task or artifact.",
      .description =
          "Show what is known about one thing. Flow: how its runs ended. Flow/run: parameters, tags, steps, and the "
          "tasks that failed, with the reason. Flow/run/step: its tasks by status. Flow/run/step/task: artifacts with "
          "their values, metadata, and the end of what it printed. Flow/run/step/task/artifact: the whole value.\n\n"
          "Reading a value never runs code: what only Python can make is described instead.",
      .options = {{.name = "lines",
                   .kind = OptionKind::integer,
                   .type = "INTEGER",
                   .help = "Lines of output to show of a task, of each stream.",
                   .default_text = "10"},
                  {.name = "json", .kind = OptionKind::flag, .help = "For programs: one JSON document."}},
      .arguments = {{"PATHSPEC"}}};
}

int inspect_record(const Arguments& arguments) {
  require_records();
  const client::Options options{.folder = {}, .name_space = std::nullopt};
  const bool as_json = arguments.flag("json");
  const auto parts = parse_record_path(*arguments.argument(0), 5);
  const auto flow = find_flow(parts[0], options);
  if (parts.size() == 1) return inspect_flow(flow, as_json), 0;
  const auto run = find_run(flow, parts[1]);
  if (parts.size() == 2) return inspect_run(run, as_json), 0;
  const auto step = find_step(run, parts[2]);
  if (parts.size() == 3) return inspect_step(step, as_json), 0;
  const auto task = find_task(step, parts[3]);
  if (parts.size() == 4) return inspect_task(task, as_json, static_cast<std::size_t>(arguments.integer("lines"))), 0;
  inspect_artifact(find_artifact(task, parts[4]), as_json);
  return 0;
}

}  // namespace metaflow::cli
