#pragma once

#include <optional>
#include <set>
#include <string>

#include "base/clock.hpp"
#include "gc/plan.hpp"
#include "gc/quarantine.hpp"

namespace metaflow::gc {

/// Batches older than this are removed by the next collection.
inline constexpr std::int64_t quarantine_days = 7;

/// One flow, and how to go about it.
struct Request {
  std::string root, flow;
  std::set<std::string> chosen = {};  ///< runs to go
  /// Go on although official Metaflow may be running the flow, or the file system knows no locks.
  bool force = false;
};

/// What came, or would come, of it.
struct Collection {
  FlowContents contents;
  Plan plan;
  std::optional<std::string> refusal;  ///< why nothing was taken, in sentences
  bool has_rescued = false;            ///< something came back from quarantine, as a run needs it after all
};

/// What collect() would do, without a lock and without a change. Its refusal is what the records tell.
Collection preview(const Request& request, Clock& clock, const Progress& progress);

/// Takes the chosen runs, and blobs that then nobody needs, into quarantine; first removes what has been there for long
/// enough. Holds the flow alone meanwhile; refuses to when others use it, when it is damaged, or may be in use by
/// official Metaflow.
Collection collect(const Request& request, Clock& clock, const Progress& progress);

/// Removes all that is in quarantine, but what a run needs after all. The plan of the result is empty.
Collection purge(const Request& request, Clock& clock, const Progress& progress);

/// What came of putting everything back.
struct Restoration {
  Restored restored;
  std::optional<std::string> refusal;
};
Restoration restore(const Request& request);

}  // namespace metaflow::gc
