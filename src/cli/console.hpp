#pragma once

#include <string>
#include <string_view>

#include <metaflow/error.hpp>

namespace metaflow::cli {

enum class Style { plain, banner, highlight, good, bad };

/// What commands say to people, on standard error; standard output is for results. Colours only on a terminal. What is wrong
/// may quote anything: control characters are written out, and of a message that is far too long the middle is left out.
class Console {
 public:
  void be_quiet(bool quiet) { quiet_ = quiet; }
  bool quiet() const { return quiet_; }

  /// One or more lines; nothing when quiet.
  void echo(std::string_view text, Style style = Style::plain) const;
  /// An error block, however quiet: heading, and the message indented.
  void error(const Error& error) const;
  /// `    Internal error` and the message as it is: for what should not have happened.
  void internal_error(std::string_view message) const;
  /// How a command line is wrong. `command` is what to type before `--help`.
  void usage_error(std::string_view usage, std::string_view command, std::string_view message) const;

 private:
  bool quiet_ = false;
};

/// Results, on standard output. Both throw Error when not all of it can be written, unless its reader has left.
void print(std::string_view text);
void flush_output();

}  // namespace metaflow::cli
