#include <algorithm>
#include <filesystem>
#include <span>

#include <fmt/format.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/configuration.hpp"
#include "base/files.hpp"
#include "cli/console.hpp"
#include "cli/gc_report.hpp"
#include "cli/record_commands.hpp"
#include "cli/records.hpp"
#include "cli/run_filter.hpp"
#include "cli/suggestion.hpp"
#include "gc/collect.hpp"

namespace metaflow::cli {
namespace {

const std::initializer_list<const char*> filters = {"older-than", "keep-last", "status", "tag", "user"};

/// A flow, and the runs of it that were named; none named: all that the filters take.
struct Target {
  std::string flow;
  std::set<std::string> runs;
};

/// One line that tells on a terminal how far long work has come, and is gone afterwards.
class ProgressLine {
 public:
  explicit ProgressLine(const std::string& flow) : flow_(flow) {}
  ~ProgressLine() {
    if (is_shown_) std::fputs("\r\033[K", stderr);
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  gc::Progress progress() {
    return [this](std::size_t tasks) {
      constexpr std::size_t worth_telling = 2000;
      if (tasks < worth_telling || ::isatty(STDERR_FILENO) != 1) return;
      std::fprintf(stderr, "\rReading %s: %zu tasks\033[K", flow_.c_str(), tasks);
      std::fflush(stderr);
      is_shown_ = true;
    };
  }

 private:
  const std::string& flow_;
  bool is_shown_ = false;
};

bool is_run_folder(const std::string& root, const std::string& flow, const std::string& run) {
  return !run.starts_with('.') && run != "_meta" && run != "data" &&
         std::filesystem::is_directory(std::filesystem::path(root) / flow / run);
}

void require_flow(const std::vector<std::string>& known, const std::string& flow) {
  if (std::ranges::find(known, flow) == known.end())
    throw Error(
        ErrorCode::not_found,
        fmt::format("There is no flow '{}' here.{} 'metaflow gc' lists the flows.", flow, did_you_mean(flow, known)),
        "Object not found");
}

void require_run(const std::string& root, const std::string& flow, const std::string& run) {
  if (is_run_folder(root, flow, run)) return;
  auto known = list_directory(root + '/' + flow);
  std::erase_if(known, [&](const std::string& name) { return !is_run_folder(root, flow, name); });
  throw Error(ErrorCode::not_found,
              fmt::format("There is no run '{0}/{1}'.{2} 'metaflow gc {0}' lists the runs of this flow.", flow, run,
                          did_you_mean(run, known)),
              "Object not found");
}

/// What was named, each flow once; all flows when nothing was.
std::vector<Target> find_targets(const Arguments& arguments, const std::string& root) {
  auto known = metadata::open_local_metadata(root)->flows();
  std::ranges::sort(known);
  std::vector<Target> targets;
  for (const auto& text : arguments.arguments()) {
    const auto parts = parse_record_path(text, 2);
    require_flow(known, parts[0]);
    auto found = std::ranges::find(targets, parts[0], &Target::flow);
    if (found == targets.end()) found = targets.insert(found, Target{parts[0], {}});
    if (parts.size() == 1) continue;
    require_run(root, parts[0], parts[1]);
    found->runs.insert(parts[1]);
  }
  if (arguments.arguments().empty())
    for (const auto& flow : known) targets.push_back(Target{flow, {}});
  return targets;
}

bool has_filters(const Arguments& arguments) {
  return std::ranges::any_of(filters, [&](const char* name) { return arguments.given(name); });
}

/// Runs of a target that are to go. Named ones are not looked at, so that damaged ones can go.
std::set<std::string> choose_runs(const Arguments& arguments, const Target& target) {
  if (!target.runs.empty() || !has_filters(arguments)) return target.runs;
  const client::Options everybody{.folder = {}, .name_space = std::nullopt};
  const auto flows = client::flows(everybody);
  if (std::ranges::find(flows, target.flow) == flows.end()) return {};
  const client::Flow flow(target.flow, everybody);
  const RunFilter filter(arguments);
  std::set<std::string> chosen;
  for (const auto& run : flow.runs(filter.tags()))
    if (filter.takes(run)) chosen.insert(run.id());
  if (!arguments.given("keep-last")) return chosen;
  const auto all = flow.runs();
  const auto kept = std::min(all.size(), static_cast<std::size_t>(arguments.integer("keep-last")));
  for (const auto& run : std::span(all).first(kept)) chosen.erase(run.id());
  return chosen;
}

/// Whose store it is is said; nothing of it goes without --force.
std::string find_root(const Arguments& arguments) {
  require_records();
  const auto root = find_local_root();
  const bool acts = arguments.flag("delete") || arguments.flag("purge") || arguments.flag("restore");
  if (acts && !root.foreign_owner.empty() && !arguments.flag("force"))
    throw Error(ErrorCode::denied,
                fmt::format("'{}' belongs to {}. If you may change it, use --force.", root.path, root.foreign_owner),
                "Data store error");
  return root.path;
}

void check_options(const Arguments& arguments, const std::vector<Target>& targets) {
  const auto refuse = [](const std::string& why) { throw Error(ErrorCode::usage, why); };
  const bool chooses =
      has_filters(arguments) || std::ranges::any_of(targets, [](const Target& target) { return !target.runs.empty(); });
  if (arguments.flag("restore") && (arguments.flag("delete") || arguments.flag("purge")))
    refuse("--restore goes with neither --delete nor --purge.");
  if (chooses && (arguments.flag("restore") || (arguments.flag("purge") && !arguments.flag("delete"))))
    refuse("--purge and --restore work on all that is in quarantine; name flows, but neither runs nor filters.");
  for (const auto& target : targets)
    if (!target.runs.empty() && has_filters(arguments))
      refuse(fmt::format("Either name runs of {}, or choose them by options.", target.flow));
}

void show_costs(const Arguments& arguments, const std::string& root, const std::vector<Target>& targets) {
  std::vector<FlowCosts> flows;
  for (const auto& target : targets) {
    ProgressLine line(target.flow);
    flows.emplace_back(gc::read_contents(root, target.flow, line.progress()),
                       gc::Quarantine(root, target.flow).usage());
  }
  if (arguments.flag("json")) {
    auto listed = JsonValue::array();
    for (const auto& costs : flows) listed.push_back(to_json(costs));
    return print_json({{"flows", listed}});
  }
  if (flows.empty()) return print("No flow has run here.\n");
  print(costs_table(flows));
  for (const auto& costs : flows) {
    if (!arguments.arguments().empty() && !costs.runs.empty())
      print(fmt::format("\nRuns of {}:\n{}", costs.flow, runs_table(costs)));
    for (const auto& damage : costs.damage) Console().echo(damage, Style::bad);
  }
}

int restore_flows(const Arguments& arguments, const std::string& root, const std::vector<Target>& targets) {
  auto listed = JsonValue::array();
  bool is_whole = true;
  for (const auto& target : targets) {
    const auto [restored, refusal] = gc::restore({.root = root, .flow = target.flow, .force = arguments.flag("force")});
    is_whole = is_whole && !refusal && restored.occupied.empty();
    listed.push_back({{"flow", target.flow},
                      {"refusal", refusal ? JsonValue(*refusal) : JsonValue()},
                      {"runs", restored.runs},
                      {"blobs", restored.blobs},
                      {"occupied", restored.occupied}});
    if (refusal) Console().echo(*refusal, Style::bad);
    for (const auto& run : restored.occupied)
      Console().echo(fmt::format("{}/{} stays in quarantine: something else is in its place.", target.flow, run),
                     Style::bad);
    if (!arguments.flag("json") && !refusal)
      print(fmt::format("{}: {} runs and {} blobs came back.\n", target.flow, restored.runs, restored.blobs));
  }
  if (arguments.flag("json")) print_json({{"flows", listed}});
  return is_whole ? 0 : 1;
}

Stage stage_of(const Arguments& arguments) {
  if (arguments.flag("purge")) return Stage::purged;
  return arguments.flag("delete") ? Stage::quarantined : Stage::planned;
}

/// Does with one flow what the options say.
gc::Collection treat(const Arguments& arguments, const gc::Request& request) {
  ProgressLine line(request.flow);
  const auto progress = line.progress();
  if (stage_of(arguments) == Stage::planned) return gc::preview(request, system_clock(), progress);
  if (!arguments.flag("delete")) return gc::purge(request, system_clock(), progress);
  auto collection = gc::collect(request, system_clock(), progress);
  if (collection.refusal || !arguments.flag("purge")) return collection;
  const auto purged = gc::purge(request, system_clock(), progress);
  collection.refusal = purged.refusal;
  collection.has_rescued = collection.has_rescued || purged.has_rescued;
  return collection;
}

std::string closing_words(const Arguments& arguments, const std::vector<Target>& targets) {
  const auto where = targets.size() == 1 ? ' ' + targets.front().flow : "";
  switch (stage_of(arguments)) {
    case Stage::planned:
      return "Nothing has changed. --delete moves these into quarantine.";
    case Stage::quarantined:
      return fmt::format(
          "All of this is in quarantine: 'metaflow gc{0} --restore' puts it back, 'metaflow gc{0} --purge' frees the "
          "space now, and --delete does in {1} days.",
          where, gc::quarantine_days);
    case Stage::purged:
      break;
  }
  return "The space is free.";
}

int collect_flows(const Arguments& arguments, const std::string& root, const std::vector<Target>& targets) {
  const auto stage = stage_of(arguments);
  auto listed = JsonValue::array();
  bool is_refused = false, is_done = false;
  for (const auto& target : targets) {
    const gc::Request request{
        .root = root, .flow = target.flow, .chosen = choose_runs(arguments, target), .force = arguments.flag("force")};
    auto collection = treat(arguments, request);
    collection.contents.flow = target.flow;
    is_refused = is_refused || collection.refusal;
    is_done = is_done || !collection.refusal;
    if (collection.refusal) Console().echo(*collection.refusal, Style::bad);
    if (arguments.flag("json"))
      listed.push_back(to_json(collection, stage));
    else if ((!collection.refusal || stage == Stage::planned) && (arguments.flag("delete") || stage == Stage::planned))
      print(collection_text(collection, stage));
  }
  if (arguments.flag("json"))
    print_json({{"flows", listed}});
  else if (is_done)
    Console().echo(closing_words(arguments, targets));
  return is_refused && stage != Stage::planned ? 1 : 0;
}

}  // namespace

Command gc_command() {
  const auto flag = [](std::string name, std::string help) {
    return Option{.name = std::move(name), .kind = OptionKind::flag, .help = std::move(help)};
  };
  return {
      .name = "gc",
      .summary = "Show what runs cost on disk, and remove those that are not wanted any more.",
      .description =
          "Without options: what each flow costs; with FLOW: each of its runs, too. STORED is what artifacts take on "
          "disk, SHARED the part of it that several runs need, OWN what would come free if this run alone went, "
          "UNREACHABLE what no run needs, left by runs that were killed or removed by hand.\n\n"
          "With a filter, or a run that is named (Flow/run): what would go, and how much space that frees. Nothing "
          "changes before --delete. Whatever a remaining run needs stays, also a run that another was resumed from, "
          "as "
          "that one borrows its logs. --delete alone removes what is unreachable.\n\n"
          "A flow that is running is left alone. What goes is kept in quarantine for some days.",
      .options =
          {
              {.name = "older-than",
               .type = "TIME",
               .help = "Runs that started before: 2026-11-23, '2026-11-23 14:10', or an age: 30m, 2h, 3d, 1w."},
              {.name = "keep-last",
               .kind = OptionKind::integer,
               .type = "INTEGER",
               .help = "All runs but this many of each flow, the newest; with other filters: these stay in any case."},
              status_option("Runs of this status alone."),
              tag_option(),
              user_option(),
              flag("delete", "Do it: move what goes into quarantine."),
              flag("purge", "Remove for good what is in quarantine, and what goes there with --delete."),
              flag("restore", "Put back all that is in quarantine."),
              flag("force",
                   "Even if official Metaflow may be running the flow, which cannot be told, or the store is somebody "
                   "else's. Runs of this engine that are running are safe in any case."),
              flag("json", "For programs: one JSON document."),
          },
      .arguments = {{"FLOW", false, true}}};
}

int collect_garbage(const Arguments& arguments) {
  const auto root = find_root(arguments);
  const auto targets = find_targets(arguments, root);
  check_options(arguments, targets);
  if (arguments.flag("restore")) return restore_flows(arguments, root, targets);
  const bool chooses =
      has_filters(arguments) || std::ranges::any_of(targets, [](const Target& target) { return !target.runs.empty(); });
  if (chooses || stage_of(arguments) != Stage::planned) return collect_flows(arguments, root, targets);
  show_costs(arguments, root, targets);
  return 0;
}

}  // namespace metaflow::cli
