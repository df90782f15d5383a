#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace metaflow::runtime {

/// Cuts a stream of bytes into lines, without their newline. Lines longer than `longest_line` come in several pieces,
/// so that memory stays bounded whatever a task prints.
class LineSplitter {
 public:
  static constexpr std::size_t longest_line = 1 << 20;

  template <class TakeLine>
  void add(std::string_view bytes, const TakeLine& take_line) {
    while (!bytes.empty()) {
      if (partial_.size() == longest_line && bytes.front() != '\n') flush(take_line);
      const auto newline = bytes.find('\n');
      const auto wanted = newline == bytes.npos ? bytes.size() : newline;
      const auto size = std::min(wanted, longest_line - partial_.size());
      const bool ends = newline == size;
      if (partial_.empty() && ends) {
        take_line(bytes.substr(0, size));
      } else {
        partial_.append(bytes.substr(0, size));
        if (ends) flush(take_line);
      }
      bytes.remove_prefix(size + (ends ? 1 : 0));
    }
  }
  /// What has come since the last newline, if anything, as a line of its own.
  template <class TakeLine>
  void finish(const TakeLine& take_line) {
    if (!partial_.empty()) flush(take_line);
  }

 private:
  template <class TakeLine>
  void flush(const TakeLine& take_line) {
    take_line(std::string_view(partial_));
    partial_.clear();
  }
  std::string partial_;
};

/// Stamps that only grow: readers of stored logs sort lines by time, then by id.
class LogStamper {
 public:
  struct Stamp {
    std::int64_t microseconds;
    std::uint64_t id;
  };
  Stamp next(std::int64_t now_microseconds) {
    last_ = {std::max(now_microseconds, last_.microseconds + 1), last_.id + 1};
    return last_;
  }

 private:
  Stamp last_{0, 0};
};

/// The stored log of one stream of one attempt (docs/formats/logs.md): collects stamped lines until they are taken.
class StoredLog {
 public:
  /// `max_bytes` is for lines of the task as they are stored, stamps and all; `source` is who stamps them: `runtime` or `task`.
  explicit StoredLog(std::uint64_t max_bytes, std::string_view source = "runtime")
      : source_(source), bytes_left_(max_bytes) {}

  /// Adds a line a task printed; once the limit is reached, one line that says so, and nothing more.
  void add_task_line(std::string_view line, LogStamper::Stamp stamp);
  /// Adds a line of the scheduler's own; the limit does not apply.
  void add_own_line(std::string_view line, LogStamper::Stamp stamp);
  /// What was added since the last call.
  std::string take();

 private:
  std::string source_, pending_;
  std::uint64_t bytes_left_;
  bool truncated_ = false;
};

/// A line that was structured where it was printed: `[MFLOG|0|<time>Z|<source>|<id>]<message>`.
struct StructuredLine {
  std::int64_t microseconds;  ///< since the Unix epoch
  std::string_view message;
};
std::optional<StructuredLine> parse_structured_line(std::string_view line);

}  // namespace metaflow::runtime
