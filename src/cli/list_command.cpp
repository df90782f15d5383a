#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/console.hpp"
#include "cli/moment.hpp"
#include "cli/record_commands.hpp"
#include "cli/records.hpp"
#include "cli/run_filter.hpp"
#include "cli/table.hpp"

namespace metaflow::cli {
namespace {

using client::Status;

void refuse_filters(const Arguments& arguments, std::initializer_list<const char*> names, std::string_view listed) {
  for (const auto* name : names)
    if (arguments.given(name))
      throw Error(ErrorCode::usage, fmt::format("--{} does not apply to a list of {}.", name, listed));
}

/// How many runs or tasks to list.
class Limit {
 public:
  explicit Limit(const Arguments& arguments) : most_(static_cast<std::size_t>(arguments.integer("limit"))) {}

  bool is_reached(std::size_t count) const { return most_ > 0 && count >= most_; }
  void note_rest(std::string_view what) const {
    Console().echo(fmt::format("Only {} {} are listed; --limit 0 lists all.", most_, what));
  }

 private:
  std::size_t most_;
};

void print_table(const Table& table, std::string_view otherwise) {
  print(table.empty() ? fmt::format("{}\n", otherwise) : table.text());
}

void list_flows(const Arguments& arguments, const client::Options& options) {
  refuse_filters(arguments, {"status", "tag", "user", "since", "until", "limit"},
                 "flows; name a flow to list its runs");
  Table table({{"FLOW"}, {"RUNS", Align::right}, {"LATEST RUN"}, {"STATUS"}, {"STARTED"}});
  auto listed = JsonValue::array();
  for (const auto& name : client::flows(options)) {
    const auto runs = client::Flow(name, options).runs();
    const RunFacts latest(runs.front());
    table.add({name, std::to_string(runs.size()), latest.id, std::string(client::status_name(latest.status)),
               moment_text(latest.started)});
    listed.push_back({{"flow", name}, {"runs", runs.size()}, {"latest_run", to_json(latest)}});
  }
  if (arguments.flag("json"))
    print_json({{"flows", listed}});
  else
    print_table(table, "No flow has run here.");
}

void list_runs(const Arguments& arguments, const client::Flow& flow) {
  const RunFilter filter(arguments);
  const Limit limit(arguments);
  std::vector<RunFacts> runs;
  bool is_cut = false;
  for (const auto& run : flow.runs(filter.tags())) {
    if (!filter.takes(run)) continue;
    is_cut = limit.is_reached(runs.size());
    if (is_cut) break;
    runs.emplace_back(run);
  }
  if (arguments.flag("json")) {
    auto listed = JsonValue::array();
    for (const auto& run : runs) listed.push_back(to_json(run));
    print_json({{"flow", flow.id()}, {"runs", listed}});
  } else {
    Table table({{"RUN"}, {"STATUS"}, {"STARTED"}, {"TOOK", Align::right}, {"USER"}, {"TAGS"}});
    for (const auto& run : runs)
      table.add({run.id, std::string(client::status_name(run.status)), moment_text(run.started),
                 span_text(run.started, run.ended), run.user, fmt::format("{}", fmt::join(run.user_tags, " "))});
    print_table(table, "No run of " + flow.id() + " is like that.");
  }
  if (is_cut) limit.note_rest("runs");
}

void list_steps(const Arguments& arguments, const client::Run& run) {
  refuse_filters(arguments, {"status", "tag", "user", "since", "until", "limit"},
                 "steps; name a flow to list its runs");
  Table table({{"STEP"},
               {"TASKS", Align::right},
               {"DONE", Align::right},
               {"CAUGHT", Align::right},
               {"FAILED", Align::right},
               {"UNFINISHED", Align::right},
               {"STARTED"},
               {"TOOK", Align::right}});
  auto listed = JsonValue::array();
  for (const auto& each : steps_in_order(run)) {
    const StepFacts step(each);
    const auto count = [&](Status status) { return std::to_string(step.tasks[status]); };
    table.add({step.id, std::to_string(step.tasks.total()), count(Status::done), count(Status::caught),
               count(Status::failed), count(Status::unfinished), moment_text(step.started),
               span_text(step.started, step.ended)});
    listed.push_back(to_json(step));
  }
  if (arguments.flag("json"))
    print_json({{"pathspec", run.pathspec()}, {"steps", listed}});
  else
    print_table(table, "No step of this run has started.");
}

void list_tasks(const Arguments& arguments, const client::Step& step) {
  refuse_filters(arguments, {"tag", "user", "since", "until"}, "tasks; name a flow to list its runs");
  const RunFilter filter(arguments);
  const Limit limit(arguments);
  std::vector<TaskFacts> tasks;
  bool is_cut = false;
  for (const auto& task : tasks_in_order(step)) {
    if (!filter.takes(task.status())) continue;
    is_cut = limit.is_reached(tasks.size());
    if (is_cut) break;
    tasks.emplace_back(task);
  }
  if (arguments.flag("json")) {
    auto listed = JsonValue::array();
    for (const auto& task : tasks) listed.push_back(to_json(task));
    print_json({{"pathspec", step.pathspec()}, {"tasks", listed}});
  } else {
    Table table({{"TASK"},
                 {"STATUS"},
                 {"INDEX", Align::right},
                 {"ATTEMPT", Align::right},
                 {"STARTED"},
                 {"TOOK", Align::right}});
    for (const auto& task : tasks)
      table.add({task.id, std::string(client::status_name(task.status)), task.index ? std::to_string(*task.index) : "",
                 std::to_string(task.attempt), moment_text(task.started), span_text(task.started, task.ended)});
    print_table(table, "No task of this step is like that.");
  }
  if (is_cut) limit.note_rest("tasks");
}

}  // namespace

Command list_command() {
  return {
      .name = "ls",
      .summary = "List flows, or the runs, steps and tasks of one.",
      .description =
          "List what has run here, whoever ran it. Without PATHSPEC: the flows; with Flow: its runs, newest first; "
          "with "
          "Flow/run: its steps; with Flow/run/step: its tasks, in the order in which they started.\n\n"
          "Runs and tasks are done, caught (they failed, but a step was told to go on), failed, or unfinished: "
          "started, and "
          "without an end. An unfinished run may still be running, or its machine was switched off: the records do not "
          "say.",
      .options =
          {
              status_option("Runs or tasks of this status alone."),
              tag_option(),
              user_option(),
              {.name = "since",
               .type = "TIME",
               .help = "Runs that started then or later: 2026-11-23, '2026-11-23 14:10', or an age: 30m, 2h, 3d, 1w."},
              {.name = "until", .type = "TIME", .help = "Runs that started then or earlier."},
              {.name = "limit",
               .kind = OptionKind::integer,
               .type = "INTEGER",
               .help = "Most runs or tasks to list; 0: all.",
               .default_text = "100"},
              {.name = "namespace", .help = "Runs of this namespace alone, for example user:ann."},
              {.name = "json", .kind = OptionKind::flag, .help = "For programs: one JSON document."},
          },
      .arguments = {{"PATHSPEC", false}}};
}

int list_records(const Arguments& arguments) {
  require_records();
  const client::Options options{.folder = {}, .name_space = arguments.optional_text("namespace")};
  const auto path = arguments.argument(0);
  if (!path) {
    list_flows(arguments, options);
    return 0;
  }
  const auto parts = parse_record_path(*path, 3);
  const auto flow = find_flow(parts[0], options);
  if (parts.size() == 1) {
    list_runs(arguments, flow);
    return 0;
  }
  const auto run = find_run(flow, parts[1]);
  if (parts.size() == 2)
    list_steps(arguments, run);
  else
    list_tasks(arguments, find_step(run, parts[2]));
  return 0;
}

}  // namespace metaflow::cli
