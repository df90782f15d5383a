#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace metaflow {

/// Where time comes from; tests wind their own. Safe to use from several threads.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Microseconds since the Unix epoch, wall clock. May go backwards when somebody sets it.
  virtual std::int64_t now_microseconds() = 0;
  /// Microseconds since some moment, for limits and waits: never goes backwards, and nobody sets it.
  virtual std::int64_t steady_microseconds() = 0;
};

/// The machine's clock. Lives as long as the process.
Clock& system_clock();

/// `2026-11-23 14:10:41.790` in local time, for the run log.
std::string local_timestamp(std::int64_t microseconds);
/// `2026-11-23T14:10:41.790713Z`, for stored log lines.
std::string utc_timestamp(std::int64_t microseconds);
/// What utc_timestamp wrote; nothing for a text of any other form, or of a day or time that there is not.
std::optional<std::int64_t> read_utc_timestamp(std::string_view text);

}  // namespace metaflow
