#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"
#include "gc/collect.hpp"

/// What `metaflow gc` shows: costs, and what goes or has gone.
namespace metaflow::cli {

/// Blobs of a flow, or of some of its runs.
struct BlobCosts {
  std::size_t count = 0;
  std::uint64_t logical_bytes = 0;  ///< of the values
  std::uint64_t stored_bytes = 0;   ///< on disk
  std::uint64_t own_bytes = 0;      ///< of these, needed by one run alone
};

/// What one run costs, in bytes on disk unless it says otherwise.
struct RunCosts {
  std::string id;
  std::int64_t created_ms = 0;  ///< 0 for a folder without a record
  std::size_t tasks = 0;
  BlobCosts blobs;
  std::uint64_t log_bytes = 0, record_bytes = 0;

  /// What its removal alone would free.
  std::uint64_t own_bytes() const { return blobs.own_bytes + log_bytes + record_bytes; }
};

/// What one flow costs.
struct FlowCosts {
  FlowCosts(const gc::FlowContents& contents, const gc::Usage& quarantined);

  std::string flow;
  std::vector<RunCosts> runs;  ///< newest first
  std::size_t tasks = 0;
  BlobCosts blobs;  ///< those that a run needs
  std::uint64_t log_bytes = 0, record_bytes = 0;
  gc::Usage unreachable, quarantine;
  std::vector<std::string> damage;

  std::uint64_t total_bytes() const {
    return blobs.stored_bytes + log_bytes + record_bytes + unreachable.bytes + quarantine.bytes;
  }
};

/// How far one flow has come on its way out.
enum class Stage { planned, quarantined, purged };

std::string costs_table(const std::vector<FlowCosts>& flows);
/// The runs of one flow.
std::string runs_table(const FlowCosts& costs);
JsonValue to_json(const FlowCosts& costs);

std::string collection_text(const gc::Collection& collection, Stage stage);
JsonValue to_json(const gc::Collection& collection, Stage stage);

}  // namespace metaflow::cli
