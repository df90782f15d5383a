#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

/// Programs that hand out keys.
namespace metaflow::aws {

/// The words of a command as a POSIX shell takes them apart, quotes and backslashes alone being special. Error(invalid) that names `from` for an open
/// quote.
std::vector<std::string> split_command(std::string_view command, const std::string& from);

/// What a program said, and how it ended.
struct ProgramResult {
  std::string output, complaint;
  bool succeeded = false;
};

/// Runs a program found by PATH, with our standard input, and waits for its end. Error(unavailable) when it cannot be started, and after `limit`,
/// when it is killed.
ProgramResult run_program(const std::vector<std::string>& words, std::chrono::milliseconds limit);

}  // namespace metaflow::aws
