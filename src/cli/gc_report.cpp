#include "cli/gc_report.hpp"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "cli/moment.hpp"
#include "cli/table.hpp"

namespace metaflow::cli {
namespace {

std::string started_text(std::int64_t created_ms) {
  return created_ms == 0 ? "" : moment_text(client::Time(std::chrono::milliseconds(created_ms)));
}

JsonValue started_json(std::int64_t created_ms) {
  return created_ms == 0 ? JsonValue() : JsonValue(utc_timestamp(created_ms * 1000));
}

std::int64_t created_ms(const gc::RunContents& run) { return run.record ? run.record->created_ms : 0; }

std::string counted(std::size_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

RunCosts costs_of(const gc::FlowContents& contents, const gc::RunContents& run,
                  const std::vector<std::uint8_t>& users) {
  RunCosts costs{.id = run.id,
                 .created_ms = created_ms(run),
                 .tasks = run.tasks,
                 .blobs = {},
                 .log_bytes = run.logs.bytes,
                 .record_bytes = run.records.bytes};
  costs.blobs.count = run.blobs.size();
  for (const auto i : run.blobs) {
    costs.blobs.logical_bytes += contents.blobs[i].logical_bytes;
    costs.blobs.stored_bytes += contents.blobs[i].disk_bytes;
    if (users[i] == 1) costs.blobs.own_bytes += contents.blobs[i].disk_bytes;
  }
  return costs;
}

JsonValue to_json(const BlobCosts& blobs) {
  return {{"blobs", blobs.count},
          {"logical_bytes", blobs.logical_bytes},
          {"stored_bytes", blobs.stored_bytes},
          {"own_bytes", blobs.own_bytes},
          {"shared_bytes", blobs.stored_bytes - blobs.own_bytes}};
}

std::uint64_t freed_bytes(const gc::Plan& plan) { return plan.of_runs.bytes + plan.of_blobs.bytes; }

std::string_view stage_name(Stage stage) {
  switch (stage) {
    case Stage::planned:
      return "planned";
    case Stage::quarantined:
      return "quarantined";
    case Stage::purged:
      return "purged";
  }
  return "";
}

std::string heading(const gc::Collection& collection, Stage stage) {
  const auto& plan = collection.plan;
  const auto runs = fmt::format("{} of {}", plan.runs.size(), counted(collection.contents.runs.size(), "run", "runs"));
  const auto blobs = counted(plan.of_blobs.files, "blob that no other run needs", "blobs that no other run needs");
  const auto verb = stage == Stage::planned ? "would go" : "went";
  return fmt::format("{}: {} {}, with {}; {} on disk.\n", collection.contents.flow, runs, verb, blobs,
                     size_text(freed_bytes(plan)));
}

std::string going_table(const gc::Collection& collection) {
  constexpr std::size_t most = 100;
  Table table({{"  RUN"}, {"STARTED"}, {"TASKS", Align::right}, {"OWN", Align::right}});
  const auto& runs = collection.plan.runs;
  for (const auto i : std::span(runs).first(std::min(runs.size(), most))) {
    const auto& run = collection.contents.runs[i];
    table.add({"  " + run.id, started_text(created_ms(run)), std::to_string(run.tasks),
               size_text(collection.plan.own_bytes.at(run.id))});
  }
  auto text = table.empty() ? std::string() : table.text();
  if (runs.size() > most) text += fmt::format("  and {} more; --json lists all\n", runs.size() - most);
  return text;
}

std::string notes(const gc::Collection& collection) {
  const auto& flow = collection.contents.flow;
  std::string text;
  for (const auto& [run, clone] : collection.plan.kept)
    text += fmt::format("  {0}/{1} stays: {0}/{2} was resumed from it, and its logs are there.\n", flow, run, clone);
  if (const auto& young = collection.plan.young; young.files > 0)
    text += fmt::format("  {} of {} stay: no run needs them, but they were written within the last hour.\n",
                        counted(young.files, "blob", "blobs"), size_text(young.bytes));
  if (collection.has_rescued) text += "  What a run needs after all came back from quarantine.\n";
  return text;
}

}  // namespace

FlowCosts::FlowCosts(const gc::FlowContents& contents, const gc::Usage& quarantined)
    : flow(contents.flow), quarantine(quarantined) {
  const auto users = gc::count_users(contents);
  for (const auto& run : contents.runs) {
    runs.push_back(costs_of(contents, run, users));
    tasks += run.tasks;
    log_bytes += run.logs.bytes;
    record_bytes += run.records.bytes;
    if (run.damage) damage.push_back(*run.damage);
  }
  for (std::size_t i = 0; i < users.size(); ++i) {
    const auto& blob = contents.blobs[i];
    if (users[i] == 0) {
      unreachable += {1, blob.disk_bytes};
      continue;
    }
    ++blobs.count;
    blobs.logical_bytes += blob.logical_bytes;
    blobs.stored_bytes += blob.disk_bytes;
    if (users[i] == 1) blobs.own_bytes += blob.disk_bytes;
  }
  for (const auto& draft : contents.drafts) unreachable += {1, draft.disk_bytes};
}

std::string costs_table(const std::vector<FlowCosts>& flows) {
  constexpr auto right = Align::right;
  Table table({{"FLOW"},
               {"RUNS", right},
               {"TASKS", right},
               {"VALUES", right},
               {"STORED", right},
               {"SHARED", right},
               {"LOGS", right},
               {"RECORDS", right},
               {"UNREACHABLE", right},
               {"QUARANTINE", right},
               {"TOTAL", right}});
  for (const auto& costs : flows)
    table.add({costs.flow, std::to_string(costs.runs.size()), std::to_string(costs.tasks),
               size_text(costs.blobs.logical_bytes), size_text(costs.blobs.stored_bytes),
               size_text(costs.blobs.stored_bytes - costs.blobs.own_bytes), size_text(costs.log_bytes),
               size_text(costs.record_bytes), size_text(costs.unreachable.bytes), size_text(costs.quarantine.bytes),
               size_text(costs.total_bytes())});
  return table.text();
}

std::string runs_table(const FlowCosts& costs) {
  constexpr auto right = Align::right;
  Table table({{"RUN"},
               {"STARTED"},
               {"TASKS", right},
               {"VALUES", right},
               {"STORED", right},
               {"SHARED", right},
               {"LOGS", right},
               {"RECORDS", right},
               {"OWN", right}});
  for (const auto& run : costs.runs)
    table.add({run.id, started_text(run.created_ms), std::to_string(run.tasks), size_text(run.blobs.logical_bytes),
               size_text(run.blobs.stored_bytes), size_text(run.blobs.stored_bytes - run.blobs.own_bytes),
               size_text(run.log_bytes), size_text(run.record_bytes), size_text(run.own_bytes())});
  return table.text();
}

JsonValue to_json(const FlowCosts& costs) {
  auto runs = JsonValue::array();
  for (const auto& run : costs.runs)
    runs.push_back({{"run", run.id},
                    {"pathspec", costs.flow + '/' + run.id},
                    {"started", started_json(run.created_ms)},
                    {"tasks", run.tasks},
                    {"artifacts", to_json(run.blobs)},
                    {"log_bytes", run.log_bytes},
                    {"record_bytes", run.record_bytes},
                    {"own_bytes", run.own_bytes()}});
  return {{"flow", costs.flow},
          {"runs", runs},
          {"tasks", costs.tasks},
          {"artifacts", to_json(costs.blobs)},
          {"log_bytes", costs.log_bytes},
          {"record_bytes", costs.record_bytes},
          {"unreachable", {{"blobs", costs.unreachable.files}, {"bytes", costs.unreachable.bytes}}},
          {"quarantine", {{"files", costs.quarantine.files}, {"bytes", costs.quarantine.bytes}}},
          {"total_bytes", costs.total_bytes()},
          {"damage", costs.damage}};
}

std::string collection_text(const gc::Collection& collection, Stage stage) {
  return heading(collection, stage) + going_table(collection) + notes(collection);
}

JsonValue to_json(const gc::Collection& collection, Stage stage) {
  const auto& [contents, plan, refusal, has_rescued] = collection;
  auto runs = JsonValue::array(), kept = JsonValue::array();
  for (const auto i : plan.runs) {
    const auto& run = contents.runs[i];
    runs.push_back({{"run", run.id},
                    {"pathspec", contents.flow + '/' + run.id},
                    {"started", started_json(created_ms(run))},
                    {"tasks", run.tasks},
                    {"own_bytes", plan.own_bytes.at(run.id)}});
  }
  for (const auto& [run, clone] : plan.kept)
    kept.push_back({{"run", run}, {"pathspec", contents.flow + '/' + run}, {"needed_by", clone}});
  return {{"flow", contents.flow},
          {"stage", refusal ? "refused" : stage_name(stage)},
          {"refusal", refusal ? JsonValue(*refusal) : JsonValue()},
          {"runs", runs},
          {"kept", kept},
          {"blobs", plan.of_blobs.files},
          {"bytes", freed_bytes(plan)},
          {"young", {{"blobs", plan.young.files}, {"bytes", plan.young.bytes}}},
          {"rescued", has_rescued}};
}

}  // namespace metaflow::cli
