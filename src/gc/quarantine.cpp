#include "gc/quarantine.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <sys/stat.h>
#include <metaflow/error.hpp>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace metaflow::gc {
namespace {

constexpr std::string_view purge_prefix = "purge-";
constexpr std::string_view side_suffix = "_meta";

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

void count_tree(const std::string& folder, Usage& usage) {
  for (const auto& entry : folder_entries(folder)) {
    if (entry.is_folder)
      count_tree(folder + '/' + entry.name, usage);
    else
      usage += {1, entry.disk_bytes};
  }
}

/// `ab/abcd…`
std::string blob_path(std::string_view key) { return fmt::format("{}/{}", key.substr(0, 2), key); }

std::string manifest_text(const FlowContents& contents, const Plan& plan, const std::optional<std::string>& latest) {
  std::vector<std::string> runs;
  for (const auto i : plan.runs) runs.push_back(contents.runs[i].id);
  JsonObject manifest;
  manifest.number("version", 1).text("flow", contents.flow).raw("runs", json_list(runs));
  manifest.number("blobs", static_cast<std::int64_t>(plan.of_blobs.files));
  if (latest) manifest.text("latest_run", *latest);
  return manifest.take();
}

}  // namespace

Quarantine::Quarantine(std::string root, std::string flow)
    : root_(std::move(root)), flow_(std::move(flow)), flow_folder_(root_ + '/' + flow_) {}

std::vector<Batch> Quarantine::batches() const {
  std::vector<Batch> batches;
  for (auto& name : list_directory(folder())) {
    std::int64_t taken_ms = 0;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), taken_ms);
    if (problem == std::errc() && end == name.data() + name.size()) batches.push_back({std::move(name), taken_ms});
  }
  std::ranges::sort(batches, {}, &Batch::taken_ms);
  return batches;
}

Usage Quarantine::usage() const {
  Usage usage;
  count_tree(folder(), usage);
  return usage;
}

// ---- Taking away

/// The manifest comes first: with it a batch is one, however far it gets.
std::string Quarantine::make_batch(std::int64_t now_ms, const std::string& manifest) const {
  while (!make_new_directory(folder() + '/' + std::to_string(now_ms))) ++now_ms;
  auto batch = folder() + '/' + std::to_string(now_ms);
  replace_file(batch + "/manifest.json", manifest);
  return batch;
}

void Quarantine::take(const FlowContents& contents, const Plan& plan, std::int64_t now_ms) {
  if (plan.runs.empty() && plan.blobs.empty() && plan.drafts.empty()) return;
  const auto latest = read_text_file(flow_folder_ + "/latest_run");
  const auto is_latest = [&](std::size_t i) { return latest && contents.runs[i].id == trimmed(*latest); };
  const bool latest_goes = std::ranges::any_of(plan.runs, is_latest);
  const auto new_latest = latest_goes ? latest_of_rest(contents, plan) : std::nullopt;
  const auto batch = make_batch(now_ms, manifest_text(contents, plan, new_latest));
  if (latest_goes) replace_latest_run(batch, new_latest);
  for (const auto i : plan.runs) take_run(batch, contents.runs[i].id);
  for (const auto i : plan.drafts)
    move_if_absent(flow_folder_ + "/data/" + contents.drafts[i].path, batch + "/data/" + contents.drafts[i].path);
  for (const auto i : plan.blobs) {
    const auto& blob = contents.blobs[i];
    const auto from = flow_folder_ + "/data/" + blob_path(blob.key()), to = batch + "/data/" + blob_path(blob.key());
    // The side file first: one that is left alone would say how to read a blob that is written anew.
    if (blob.has_side_file) move_if_absent(from + std::string(side_suffix), to + std::string(side_suffix));
    move_if_absent(from, to);
  }
}

/// The file itself is kept, so that it comes back as it was. The new one is written here, where a draft of it goes with
/// the batch.
void Quarantine::replace_latest_run(const std::string& batch, const std::optional<std::string>& now) const {
  const auto file = flow_folder_ + "/latest_run", next = batch + "/next_latest_run";
  if (now) replace_file(next, *now);
  move_if_absent(file, batch + "/latest_run");
  if (now) move_if_absent(next, file);
}

void Quarantine::take_run(const std::string& batch, const std::string& run) const {
  // Cards first: those of a run that is gone would never be found again.
  const auto cards = card_folder(root_, flow_, run);
  if (exists(cards)) move_if_absent(cards, batch + "/cards/" + run);
  move_if_absent(flow_folder_ + '/' + run, batch + "/runs/" + run);
}

// ---- Putting back

Restored Quarantine::restore() {
  Restored restored;
  auto all = batches();
  std::ranges::reverse(all);
  // Blobs of all batches before any run: a run is never without what it needs.
  for (const auto& batch : all) restore_blobs(batch_folder(batch), restored);
  for (const auto& batch : all) {
    const auto folder = batch_folder(batch);
    auto runs = list_directory(folder + "/runs");
    for (const auto& run : runs) {
      if (restore_run(folder, run))
        ++restored.runs;
      else
        restored.occupied.push_back(run);
    }
    restore_latest_run(folder);
    if (list_directory(folder + "/runs").empty()) remove_tree(folder);
  }
  if (list_directory(this->folder()).empty()) remove_tree(this->folder());
  return restored;
}

bool Quarantine::restore_run(const std::string& batch, const std::string& run) const {
  if (exists(flow_folder_ + '/' + run)) return false;
  const auto cards = batch + "/cards/" + run;
  if (exists(cards)) move_if_absent(cards, card_folder(root_, flow_, run));
  return move_if_absent(batch + "/runs/" + run, flow_folder_ + '/' + run);
}

/// Only if nobody has set it since.
void Quarantine::restore_latest_run(const std::string& batch) const {
  if (!exists(batch + "/latest_run")) return;
  const auto file = flow_folder_ + "/latest_run", manifest = batch + "/manifest.json";
  const auto set = parse_json(read_text_file(manifest).value_or("{}"), manifest).value("latest_run", "");
  const auto now = read_text_file(file);
  if (now && *now != set) return;
  remove_file(file);
  move_if_absent(batch + "/latest_run", file);
}

void Quarantine::restore_blobs(const std::string& batch, Restored& restored) const {
  for (const auto& folder : list_directory(batch + "/data")) {
    const auto place = folder + '/';
    for (const auto& entry : folder_entries(batch + "/data/" + folder)) {
      if (is_draft_name(entry.name)) {
        move_if_absent(batch + "/data/" + place + entry.name, flow_folder_ + "/data/" + place + entry.name);
        continue;
      }
      const auto key =
          entry.name.ends_with(side_suffix) ? entry.name.substr(0, entry.name.size() - side_suffix.size()) : entry.name;
      if (restore_blob(batch, key)) ++restored.blobs;
    }
  }
}

/// True when the blob came back; false when there was none in the batch, or it was written anew meanwhile.
bool Quarantine::restore_blob(const std::string& batch, const std::string& key) const {
  const auto from = batch + "/data/" + blob_path(key), to = flow_folder_ + "/data/" + blob_path(key);
  const auto side_from = from + std::string(side_suffix), side_to = to + std::string(side_suffix);
  const bool is_here = exists(from), has_side = exists(side_from);
  // An empty file is what a power loss may leave of a blob.
  if (is_here && file_size(to).value_or(0) > 0) {
    // A side file describes its own blob alone, so it goes first.
    remove_file(side_from);
    remove_file(from);
    return false;
  }
  if (has_side && !move_if_absent(side_from, side_to)) remove_file(side_from);
  if (!is_here) return false;
  if (exists(to)) remove_file(to);
  return move_if_absent(from, to);
}

bool Quarantine::rescue(const FlowContents& contents) {
  bool has_found = false;
  for (const auto& batch : batches()) {
    const auto folder = batch_folder(batch);
    for (const auto& key : contents.missing) has_found = restore_blob(folder, key) || has_found;
    for (const auto& run : contents.runs)
      for (const auto& origin : run.origins)
        if (exists(folder + "/runs/" + origin)) has_found = restore_run(folder, origin) || has_found;
  }
  return has_found;
}

// ---- The end

void Quarantine::purge(std::int64_t taken_before_ms) {
  // Under another name first: half a batch must never be put back.
  for (const auto& batch : batches())
    if (batch.taken_ms < taken_before_ms)
      move_if_absent(batch_folder(batch), folder() + '/' + std::string(purge_prefix) + batch.id);
  for (const auto& name : list_directory(folder()))
    if (name.starts_with(purge_prefix)) remove_tree(folder() + '/' + name);
  if (list_directory(folder()).empty()) remove_tree(folder());
}

}  // namespace metaflow::gc
