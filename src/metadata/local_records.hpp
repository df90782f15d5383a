#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "metadata/metadata.hpp"

/// The JSON files of local metadata (docs/formats/datastore.md), to text and back. `file` is for errors: damaged
/// records are Error(corrupt) that names it. Fields that readers can do without may be missing.
namespace metaflow::metadata {

/// Where a record belongs; empty parts are above its level.
struct Place {
  std::string flow, run, step, task;
};

std::string flow_text(const std::string& flow, std::int64_t created_ms);
std::string run_text(const RunRecord& run);
/// A step, or a task when `place.task` is set.
std::string child_text(const RunRecord& run, const Place& place, std::int64_t created_ms);
/// `datum.created_ms` must be set.
std::string datum_text(const RunRecord& run, const Place& place, const Datum& datum);

/// Texts of the pointer files of one attempt: only name, encoding and key differ between them.
class PointerTexts {
 public:
  PointerTexts(const RunRecord& run, const Place& place, int attempt, const std::string& ds_type,
               const std::string& ds_root, std::int64_t created_ms);
  std::string text(std::string_view name, const ArtifactReference& reference) const;

 private:
  std::string start_, end_;
};

std::int64_t parse_created(std::string_view text, const std::string& file);
RunRecord parse_run(std::string_view text, const Place& place, const std::string& file);
Datum parse_datum(std::string_view text, const std::string& file);
ArtifactRecord parse_pointer(std::string_view text, int attempt, const std::string& file);

}  // namespace metaflow::metadata
