#include "client/task_log.hpp"

#include <algorithm>
#include <optional>

namespace metaflow::client {
namespace {

/// Takes what comes before `end`, and `end` itself, off the front of `text`.
std::optional<std::string_view> take_until(std::string_view& text, char end) {
  const auto place = text.find(end);
  if (place == std::string_view::npos) return std::nullopt;
  const auto part = text.substr(0, place);
  text.remove_prefix(place + 1);
  return part;
}

/// line = ["[!"] "[MFLOG|0|" timestamp "|" source "|" id "]" message
StampedLine parse_line(std::string_view line) {
  constexpr std::string_view head = "[MFLOG|0|";
  auto rest = line;
  if (rest.substr(0, 2) == "[!") rest.remove_prefix(2);
  if (rest.substr(0, head.size()) != head) return {.message = line};
  rest.remove_prefix(head.size());
  const auto timestamp = take_until(rest, '|');
  const auto source = take_until(rest, '|');
  const auto id = take_until(rest, ']');
  if (!timestamp || !source || !id) return {.message = line};
  return {*timestamp, *source, *id, rest};
}

/// Stamped lines by time, then id; the others after them.
bool comes_before(const StampedLine& a, const StampedLine& b) {
  if (a.timestamp.empty() != b.timestamp.empty()) return b.timestamp.empty();
  return a < b;
}

}  // namespace

std::vector<StampedLine> merge_log_lines(const std::vector<std::string>& files) {
  std::vector<StampedLine> lines;
  for (std::string_view rest : files) {
    while (!rest.empty()) {
      const auto line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      if (!line.empty()) lines.push_back(parse_line(line));
    }
  }
  if (!std::is_sorted(lines.begin(), lines.end(), comes_before))
    std::stable_sort(lines.begin(), lines.end(), comes_before);
  return lines;
}

std::string log_text(const std::vector<std::string>& files) {
  std::string text;
  for (const auto& line : merge_log_lines(files)) {
    text += line.message;
    text += '\n';
  }
  return text;
}

bool is_mark_of_failure(std::string_view message) {
  return message == "Task failed." || message == "Task failed with a segmentation fault." ||
         message == "[KILLED BY ORCHESTRATOR]";
}

}  // namespace metaflow::client
