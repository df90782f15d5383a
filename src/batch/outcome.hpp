#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "batch/service.hpp"

/// What a job says of itself, put into words. All pure.
namespace metaflow::batch {

/// What became of a job that has failed.
enum class Cause {
  user_code,  ///< the task itself failed; its log says why
  out_of_memory,
  timeout,
  machine_lost,  ///< a spot machine was taken back, or the host died
  start_failed,  ///< the container could not be started, which may pass
  bad_image,     ///< the image cannot be pulled, or cannot run here
  signal,        ///< a signal ended it
  terminated,    ///< by us or somebody else, on request
  unknown,
};

/// Whether another attempt may go better.
enum class Again { useful, useless };

struct Verdict {
  Cause cause = Cause::unknown;
  std::string sentence;  ///< what happened and what to do
  Again again = Again::useful;
};

/// What a user has to know of the job beside what Batch says.
struct Limits {
  double memory_mb = 0;
  std::optional<std::chrono::milliseconds> timeout = {};
};

/// Of a job whose status is FAILED.
Verdict judge(const Job& job, const Limits& limits);

/// The reason we give when we end a job; judge() knows it again.
inline constexpr std::string_view our_termination = "Metaflow initiated job termination.";

/// Lines about a job that waits: one at first, at each change of its status, and every 30 seconds.
class StartLines {
 public:
  /// The line that is due, without the id of the job in front.
  std::optional<std::string> next(const std::string& status, std::chrono::seconds now);

 private:
  std::string status_;
  std::chrono::seconds told_{0}, since_{0};
};

/// Of a job that has ended: `Task finished with exit code 0.`
std::string finished_line(const Job& job);

/// How long to leave a job alone after it was asked about, which had its last change so long ago.
std::chrono::milliseconds poll_interval(std::chrono::seconds since_change);

}  // namespace metaflow::batch
