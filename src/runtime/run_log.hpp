#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace metaflow::runtime {

enum class Tone { plain, system, bad };

/// What the user sees of a run on standard output: one line per event, in the format of cli.md 5.2. Collects lines and
/// writes them together. When they can no longer be written they are dropped and the run goes on; see write_error().
class RunLog {
 public:
  /// Colours, and a status line that is drawn anew, only on a terminal; no colours where NO_COLOR is set.
  explicit RunLog(int descriptor);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  bool on_terminal() const noexcept { return terminal_; }
  /// `<local time> <text>`
  void run_line(std::int64_t microseconds, std::string_view text, Tone tone = Tone::plain);
  /// `<local time> [<head>] <text>`, the text without white space at its ends.
  void task_line(std::int64_t microseconds, std::string_view head, std::string_view text, Tone tone = Tone::plain);
  /// The same for a time that is text already.
  void task_line(std::string_view time, std::string_view head, std::string_view text, Tone tone = Tone::plain);
  /// Shown below all lines until replaced; empty takes it away. No effect unless on a terminal.
  void set_status(std::string status);
  /// Writes what was collected.
  void flush();
  /// Why lines were lost, as an errno; 0 when none were, or when the reader closed its pipe: it has seen enough.
  int write_error() const noexcept { return write_error_; }

 private:
  void begin_line(std::string_view time);
  void end_line(std::string_view text, Tone tone);
  void colour(const char* code);
  const std::string& timestamp(std::int64_t microseconds);

  int descriptor_, write_error_ = 0;
  bool terminal_, colours_, status_shown_ = false, status_changed_ = false;
  std::string lines_, status_;
  std::int64_t second_ = -1;  // of time_text_
  std::string time_text_;
};

}  // namespace metaflow::runtime
