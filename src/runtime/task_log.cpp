#include "runtime/task_log.hpp"

#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/utf8.hpp"

namespace metaflow::runtime {
namespace {

constexpr std::string_view truncation_notice = "[TRUNCATED - MAXIMUM LOG FILE SIZE REACHED]";
constexpr std::string_view persist_mark = "[!";

}  // namespace

void StoredLog::add_own_line(std::string_view line, LogStamper::Stamp stamp) {
  // One bad byte in a stored log would make the whole of it unreadable.
  fmt::format_to(std::back_inserter(pending_), "[MFLOG|0|{}|{}|{:012}]{}\n", utc_timestamp(stamp.microseconds), source_,
                 stamp.id, is_utf8(line) ? line : std::string_view(sanitized_utf8(line)));
}

void StoredLog::add_task_line(std::string_view line, LogStamper::Stamp stamp) {
  if (truncated_) return;
  const auto before = pending_.size();
  const auto structured = line.substr(0, 2) == persist_mark ? line.substr(persist_mark.size()) : std::string_view();
  if (!structured.empty() && parse_structured_line(structured))
    pending_.append(sanitized_utf8(structured)).append("\n");
  else
    add_own_line(line, stamp);
  const auto added = pending_.size() - before;
  truncated_ = added > bytes_left_;
  if (!truncated_) {
    bytes_left_ -= added;
    return;
  }
  pending_.resize(before);
  add_own_line(truncation_notice, stamp);
}

std::string StoredLog::take() { return std::exchange(pending_, {}); }

std::optional<StructuredLine> parse_structured_line(std::string_view line) {
  constexpr std::string_view start = "[MFLOG|0|";
  if (line.substr(0, start.size()) != start) return std::nullopt;
  line.remove_prefix(start.size());
  const auto bar = line.find('|');
  const auto end = line.find(']');
  if (end == line.npos || bar >= end) return std::nullopt;
  if (line.substr(bar + 1, end - bar - 1).find('|') == line.npos) return std::nullopt;
  const auto microseconds = read_utc_timestamp(line.substr(0, bar));
  if (!microseconds) return std::nullopt;
  return StructuredLine{*microseconds, line.substr(end + 1)};
}

}  // namespace metaflow::runtime
