#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace metaflow::client {

/// One stored line of a task's output.
struct StampedLine {
  std::string_view timestamp = {};  ///< `2026-11-23T14:10:41.790713Z`, empty for a line without a readable head
  std::string_view source = {}, id = {};
  std::string_view message = {};

  auto operator<=>(const StampedLine&) const = default;
};

/// Lines of the stored files of one stream, in the order they were stamped; what has no readable head comes last. The views point
/// into `files`.
std::vector<StampedLine> merge_log_lines(const std::vector<std::string>& files);

/// The messages alone, each ended by a newline.
std::string log_text(const std::vector<std::string>& files);

/// Whether a line is what a scheduler, ours or official's, stores last for an attempt that failed or was killed.
bool is_mark_of_failure(std::string_view message);

}  // namespace metaflow::client
