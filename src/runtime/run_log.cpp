#include "runtime/run_log.hpp"

#include <cerrno>
#include <cstdlib>

#include <unistd.h>

#include "base/clock.hpp"
#include "base/pipes.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

namespace metaflow::runtime {
namespace {

constexpr std::size_t flush_size = 65'536;
constexpr const char* magenta = "\033[35m";
constexpr const char* green = "\033[32m";
constexpr const char* bold = "\033[1m";
constexpr const char* red = "\033[31m";
constexpr const char* reset = "\033[0m";
constexpr const char* erase_line = "\r\033[K";

}  // namespace

RunLog::RunLog(int descriptor) : descriptor_(descriptor), terminal_(::isatty(descriptor) == 1) {
  const char* no_color = std::getenv("NO_COLOR");
  colours_ = terminal_ && (no_color == nullptr || *no_color == '\0');
}

RunLog::~RunLog() {
  set_status({});
  flush();
}

void RunLog::run_line(std::int64_t microseconds, std::string_view text, Tone tone) {
  begin_line(timestamp(microseconds));
  end_line(text, tone);
}

void RunLog::task_line(std::int64_t microseconds, std::string_view head, std::string_view text, Tone tone) {
  task_line(timestamp(microseconds), head, text, tone);
}

void RunLog::task_line(std::string_view time, std::string_view head, std::string_view text, Tone tone) {
  begin_line(time);
  colour(green);
  lines_.append("[").append(head).append("]");
  colour(reset);
  lines_ += ' ';
  text = trimmed(text);
  is_utf8(text) ? end_line(text, tone) : end_line(sanitized_utf8(text), tone);
}

void RunLog::begin_line(std::string_view time) {
  colour(magenta);
  lines_ += time;
  colour(reset);
  lines_ += ' ';
}

void RunLog::end_line(std::string_view text, Tone tone) {
  if (tone != Tone::plain) colour(tone == Tone::bad ? red : bold);
  lines_ += text;
  if (tone != Tone::plain) colour(reset);
  lines_ += '\n';
  if (lines_.size() > flush_size) flush();
}

void RunLog::colour(const char* code) {
  if (colours_) lines_ += code;
}

/// Formatting local time is the dearest part of a line, and most lines share their second with the one before.
const std::string& RunLog::timestamp(std::int64_t microseconds) {
  constexpr std::size_t milliseconds_at = 20;  // 2026-11-23 14:10:41.790
  if (const auto second = microseconds / 1'000'000; second != second_) {
    second_ = second;
    time_text_ = local_timestamp(microseconds);
  }
  auto milliseconds = microseconds / 1'000 % 1'000;
  for (std::size_t i = 3; i-- > 0; milliseconds /= 10)
    time_text_[milliseconds_at + i] = static_cast<char>('0' + milliseconds % 10);
  return time_text_;
}

void RunLog::set_status(std::string status) {
  if (!terminal_ || status == status_) return;
  status_ = std::move(status);
  status_changed_ = true;
}

void RunLog::flush() {
  if (lines_.empty() && !status_changed_) return;
  std::string text = status_shown_ ? erase_line : "";
  text += lines_;
  text += status_;
  status_shown_ = !status_.empty();
  status_changed_ = false;
  lines_.clear();
  if (descriptor_ < 0 || try_write_all(descriptor_, text)) return;
  if (errno != EPIPE) write_error_ = errno;
  descriptor_ = -1;
}

}  // namespace metaflow::runtime
