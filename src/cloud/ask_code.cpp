#include "cloud/ask_code.hpp"

#include <poll.h>
#include <unistd.h>

#include <metaflow/error.hpp>

#include "base/pipes.hpp"
#include "base/text.hpp"

namespace metaflow::cloud {
namespace {

/// What a terminal gives at once is one line; empty when nobody types it in time.
std::string read_line(std::chrono::milliseconds limit) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  if (::poll(&input, 1, static_cast<int>(limit.count())) <= 0) return {};
  char line[256];
  const auto count = ::read(STDIN_FILENO, line, sizeof line);
  return count > 0 ? std::string(trimmed({line, static_cast<std::size_t>(count)})) : std::string();
}

}  // namespace

std::function<std::string(const std::string& serial)> code_prompt(std::chrono::milliseconds limit) {
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0) return {};
  return [limit](const std::string& serial) {
    try_write_all(STDERR_FILENO, "Code that the device " + serial + " shows: ");
    auto code = read_line(limit);
    if (!code.empty()) return code;
    throw Error(ErrorCode::denied, "Nobody typed the code of the device " + serial + "; try again");
  };
}

}  // namespace metaflow::cloud
