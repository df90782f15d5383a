#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "gc/contents.hpp"

namespace metaflow::gc {

/// What is to go of a flow, and what that frees.
struct Plan {
  std::vector<std::size_t> runs;  ///< places in FlowContents::runs; each after those that were resumed from it
  std::map<std::string, std::string> kept;  ///< runs that were chosen and stay: the run whose clones need each
  std::vector<std::size_t> blobs;           ///< places in FlowContents::blobs
  std::vector<std::size_t> drafts;
  Usage of_runs, of_blobs;  ///< what goes; drafts count as blobs
  Usage young;              ///< needed by no run, and too new to go: a writer may be about to name it
  /// Bytes on disk that each of `runs` frees alone: its files, and blobs that no other run needs.
  std::map<std::string, std::uint64_t> own_bytes;
};

/// `chosen`: ids of runs to go. Blobs go that no remaining run needs, of those that no run needed before only what was
/// written an hour ago or earlier.
Plan make_plan(const FlowContents& contents, const std::set<std::string>& chosen, std::int64_t now_s);

/// For each blob how many runs need it: 0, 1, or 2 for more.
std::vector<std::uint8_t> count_users(const FlowContents& contents);

/// Why nobody can say what remaining runs need; nothing when it is known.
std::optional<std::string> damage_in_rest(const FlowContents& contents, const Plan& plan);

/// A run of official Metaflow, which takes no part in locks, that may still be running: it has an attempt that began in the last five
/// days and has not ended, or it has not come to its end and something of it was written within ten minutes.
std::optional<std::string> possibly_running(const FlowContents& contents, std::int64_t now_s);

/// What `latest_run` is to name when these runs are gone: the newest that resumed nothing, else the newest; nothing when
/// no run is left.
std::optional<std::string> latest_of_rest(const FlowContents& contents, const Plan& plan);

}  // namespace metaflow::gc
