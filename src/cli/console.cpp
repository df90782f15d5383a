#include "cli/console.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iterator>

#include <unistd.h>

#include <fmt/format.h>

#include "base/system_error.hpp"
#include "base/utf8.hpp"

namespace metaflow::cli {
namespace {

bool is_coloured(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");
  return (no_color == nullptr || *no_color == '\0') && ::isatty(descriptor) == 1;
}

std::string_view escape(Style style) {
  switch (style) {
    case Style::banner:
      return "\033[1;35m";
    case Style::highlight:
    case Style::bad:
      return "\033[1;31m";
    case Style::good:
      return "\033[1;32m";
    case Style::plain:
      break;
  }
  return "";
}

void say(std::string_view text, Style style) {
  std::string out;
  if (is_coloured(STDERR_FILENO)) {
    for (std::size_t position = 0; position <= text.size();) {
      const auto end = std::min(text.find('\n', position), text.size());
      const auto line = text.substr(position, end - position);
      out.append(escape(style)).append(line).append(style == Style::plain ? "" : "\033[0m").append("\033[K\n");
      position = end + 1;
    }
  } else {
    out.append(text).append("\n");
  }
  std::fwrite(out.data(), 1, out.size(), stderr);
}

/// Letters of other scripts stay; what could command the terminal is written out: `\x1b`.
std::string without_controls(std::string_view text) {
  std::string plain;
  const auto clean = sanitized_utf8(text);
  for (std::size_t i = 0; i < clean.size();) {
    const auto start = i;
    const auto code = *decode_code_point(clean, i);
    const bool is_control = (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7f && code < 0xa0);
    if (is_control)
      fmt::format_to(std::back_inserter(plain), "\\x{:02x}", static_cast<unsigned>(code));
    else
      plain.append(clean, start, i - start);
  }
  return plain;
}

/// A message as it is shown, whatever of the user's or of a damaged file it quotes: text, and of bearable length.
std::string presentable(std::string_view message) {
  constexpr std::size_t longest = 4000, head = 1500, tail = 500;
  if (message.size() <= longest) return without_controls(message);
  return without_controls(message.substr(0, head)) +
         fmt::format(" [... {} bytes left out ...] ", message.size() - head - tail) +
         without_controls(message.substr(message.size() - tail));
}

std::string_view default_headline(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_found:
      return "Object not found";
    case ErrorCode::conflict:
    case ErrorCode::denied:
    case ErrorCode::unavailable:
    case ErrorCode::exhausted:
    case ErrorCode::corrupt:
      return "Data store error";
    case ErrorCode::internal:
      return "Internal error";
    default:
      return "Invalid command";
  }
}

void lose_output(int reason) {
  // Whoever closed the pipe has seen enough: `show | head -1` where SIGPIPE is ignored.
  if (reason == EPIPE) return;
  const auto cause = system_error("not all of the output could be written", reason);
  throw Error(cause.code(), cause.what(), "Cannot write to standard output");
}

}  // namespace

void Console::echo(std::string_view text, Style style) const {
  if (!quiet_) say(text, style);
}

void Console::error(const Error& error) const {
  std::string block = "    ";
  block += error.headline().empty() ? std::string(default_headline(error.code())) : presentable(error.headline());
  say(block + ':', Style::bad);
  std::string message = "    ";
  for (const char c : presentable(error.what())) {
    message += c;
    if (c == '\n') message += "    ";
  }
  say(message + '\n', Style::bad);
}

void Console::internal_error(std::string_view message) const {
  say("    Internal error", Style::bad);
  say(presentable(message) + '\n', Style::bad);
}

void Console::usage_error(std::string_view usage, std::string_view command, std::string_view message) const {
  std::string text(usage);
  text.append("\nTry '").append(command).append(" --help' for help.\n\nError: ").append(presentable(message));
  say(text, Style::plain);
}

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) lose_output(errno);
}

void flush_output() {
  if (std::fflush(stdout) != 0) lose_output(errno);
}

}  // namespace metaflow::cli
