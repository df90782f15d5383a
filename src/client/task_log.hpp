#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace metaflow::client {

/// One stored line of a task's output.
struct LogLine {
  std::string_view timestamp = {};  ///< `2026-11-23T14:10:41.790713Z`, empty for a line without a readable head
  std::string_view source = {}, id = {};
  std::string_view message = {};

  auto operator<=>(const LogLine&) const = default;
};

/// Lines of the stored files of one stream, in the order they were stamped; what has no readable head comes last. The views point
/// into `files`.
std::vector<LogLine> merge_log_lines(const std::vector<std::string>& files);

/// The messages alone, each ended by a newline.
std::string log_text(const std::vector<std::string>& files);

}  // namespace metaflow::client
