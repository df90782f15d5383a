#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gc/contents.hpp"
#include "gc/plan.hpp"

namespace metaflow::gc {

/// What was taken at one time.
struct Batch {
  std::string id;         ///< the time in milliseconds
  std::int64_t taken_ms;  ///< the same as a number
};

/// What was put back.
struct Restored {
  std::size_t runs = 0, blobs = 0;
  std::vector<std::string> occupied;  ///< runs that could not be, as there is something in their place
};

/// What was taken away from a flow and can be put back: `<Flow>/.quarantine` (docs/formats/gc.md). Each thing is moved by one
/// rename, so it is always in one of two places, and whatever was killed is set right by doing it again or by
/// restore(). All but batches() and usage() want the flow to be held alone.
class Quarantine {
 public:
  Quarantine(std::string root, std::string flow);

  /// The oldest first.
  std::vector<Batch> batches() const;
  Usage usage() const;

  /// Runs first, each before those it was resumed from, then blobs. `latest_run` goes with a run that goes, and names
  /// another one. Nothing is made when nothing is to go.
  void take(const FlowContents& contents, const Plan& plan, std::int64_t now_ms);
  /// Puts all back, blobs first. What has come into the place of a blob meanwhile is the same, and stays.
  Restored restore();
  /// Puts back what runs need all the same: somebody who knows no locks has relied on it. True if that was anything;
  /// then `contents` are no longer what there is.
  bool rescue(const FlowContents& contents);
  /// Removes batches taken before that moment. rescue() should have found nothing.
  void purge(std::int64_t taken_before_ms);

 private:
  std::string folder() const { return flow_folder_ + "/.quarantine"; }
  std::string batch_folder(const Batch& batch) const { return folder() + '/' + batch.id; }
  std::string make_batch(std::int64_t now_ms, const std::string& manifest) const;
  void replace_latest_run(const std::string& batch, const std::optional<std::string>& now) const;
  void restore_latest_run(const std::string& batch) const;
  void take_run(const std::string& batch, const std::string& run) const;
  /// False when there is something in its place.
  bool restore_run(const std::string& batch, const std::string& run) const;
  void restore_blobs(const std::string& batch, Restored& restored) const;
  bool restore_blob(const std::string& batch, const std::string& key) const;

  std::string root_, flow_, flow_folder_;
};

}  // namespace metaflow::gc
