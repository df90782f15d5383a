#include "gc/plan.hpp"

#include <algorithm>
#include <functional>

namespace metaflow::gc {
namespace {

constexpr std::int64_t margin_s = 3600;
constexpr std::int64_t longest_attempt_s = 5 * 86'400;  // official's own limit for a task
constexpr std::int64_t longest_pause_s = 600;           // between tasks of a run that goes on

/// Takes runs out of `gone` that a remaining one borrows from, until there is none.
std::map<std::string, std::string> keep_origins(const FlowContents& contents, std::set<std::string>& gone) {
  std::map<std::string, std::string> kept;
  for (bool has_changed = true; has_changed;) {
    has_changed = false;
    for (const auto& run : contents.runs) {
      if (gone.contains(run.id)) continue;
      for (const auto& origin : run.origins) {
        if (gone.erase(origin) == 0) continue;
        kept.emplace(origin, run.id);
        has_changed = true;
      }
    }
  }
  return kept;
}

/// So that whoever looks on the way finds no clone without its origin.
std::vector<std::size_t> clones_first(const FlowContents& contents, const std::set<std::string>& gone) {
  const auto& runs = contents.runs;
  std::map<std::string, std::vector<std::size_t>> clones;
  for (std::size_t i = 0; i < runs.size(); ++i)
    for (const auto& origin : runs[i].origins) clones[origin].push_back(i);
  std::vector<std::size_t> ordered;
  std::vector<bool> is_placed(runs.size());
  const std::function<void(std::size_t)> place = [&](std::size_t i) {
    if (is_placed[i] || !gone.contains(runs[i].id)) return;
    is_placed[i] = true;
    for (const auto clone : clones[runs[i].id]) place(clone);
    ordered.push_back(i);
  };
  for (std::size_t i = 0; i < runs.size(); ++i) place(i);
  return ordered;
}

bool is_ours(const RunContents& run) {
  return run.record && std::ranges::any_of(run.record->system_tags, [](const std::string& tag) {
           return tag.starts_with("metaflow_version:") && tag.find("+cpp.") != tag.npos;
         });
}

void plan_blobs(const FlowContents& contents, const std::set<std::string>& gone, std::int64_t now_s, Plan& plan) {
  enum : std::uint8_t { by_nobody, by_the_gone, by_the_rest };
  std::vector<std::uint8_t> needed(contents.blobs.size(), by_nobody);
  for (const auto& run : contents.runs) {
    const auto by = gone.contains(run.id) ? by_the_gone : by_the_rest;
    for (const auto i : run.blobs) needed[i] = std::max<std::uint8_t>(needed[i], by);
  }
  const auto is_young = [&](std::int64_t written_s) { return now_s - written_s < margin_s; };
  for (std::size_t i = 0; i < contents.blobs.size(); ++i) {
    const auto& blob = contents.blobs[i];
    if (needed[i] == by_the_rest) continue;
    if (needed[i] == by_nobody && is_young(blob.written_s)) {
      plan.young += {1, blob.disk_bytes};
      continue;
    }
    plan.blobs.push_back(i);
    plan.of_blobs += {1, blob.disk_bytes};
  }
  for (std::size_t i = 0; i < contents.drafts.size(); ++i) {
    if (is_young(contents.drafts[i].written_s)) continue;
    plan.drafts.push_back(i);
    plan.of_blobs += {1, contents.drafts[i].disk_bytes};
  }
}

}  // namespace

std::vector<std::uint8_t> count_users(const FlowContents& contents) {
  std::vector<std::uint8_t> users(contents.blobs.size());
  for (const auto& run : contents.runs)
    for (const auto i : run.blobs) users[i] = std::min<std::uint8_t>(users[i] + 1, 2);
  return users;
}

Plan make_plan(const FlowContents& contents, const std::set<std::string>& chosen, std::int64_t now_s) {
  Plan plan;
  std::set<std::string> gone;
  for (const auto& run : contents.runs)
    if (chosen.contains(run.id)) gone.insert(run.id);
  plan.kept = keep_origins(contents, gone);
  plan.runs = clones_first(contents, gone);
  plan_blobs(contents, gone, now_s, plan);
  const auto users = count_users(contents);
  for (const auto i : plan.runs) {
    const auto& run = contents.runs[i];
    plan.of_runs += run.records;
    plan.of_runs += run.logs;
    auto& own = plan.own_bytes[run.id];
    own = run.records.bytes + run.logs.bytes;
    for (const auto blob : run.blobs)
      if (users[blob] == 1) own += contents.blobs[blob].disk_bytes;
  }
  return plan;
}

std::optional<std::string> damage_in_rest(const FlowContents& contents, const Plan& plan) {
  for (std::size_t i = 0; i < contents.runs.size(); ++i)
    if (contents.runs[i].damage && std::ranges::find(plan.runs, i) == plan.runs.end()) return contents.runs[i].damage;
  return std::nullopt;
}

std::optional<std::string> possibly_running(const FlowContents& contents, std::int64_t now_s) {
  for (const auto& run : contents.runs) {
    if (is_ours(run) || run.ended) continue;
    const bool has_attempt = run.unfinished_since_s && now_s - *run.unfinished_since_s < longest_attempt_s;
    if (has_attempt || now_s - run.changed_s < longest_pause_s) return run.id;
  }
  return std::nullopt;
}

std::optional<std::string> latest_of_rest(const FlowContents& contents, const Plan& plan) {
  std::optional<std::string> newest;
  for (std::size_t i = 0; i < contents.runs.size(); ++i) {
    const auto& run = contents.runs[i];
    if (!run.record || std::ranges::find(plan.runs, i) != plan.runs.end()) continue;
    if (run.origins.empty()) return run.id;
    if (!newest) newest = run.id;
  }
  return newest;
}

}  // namespace metaflow::gc
