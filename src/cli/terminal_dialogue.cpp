#include "cli/terminal_dialogue.hpp"

#include <iostream>

#include <unistd.h>

#include <metaflow/error.hpp>

#include "cli/console.hpp"

namespace metaflow::cli {
namespace {

void leave(int) {
  constexpr std::string_view notice = "\nInterrupted: nothing was changed.\n";
  // A closed standard error is no reason to go on.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, notice.data(), notice.size());
  ::_exit(1);
}

}  // namespace

TerminalDialogue::TerminalDialogue() : somebody_is_here_(::isatty(STDIN_FILENO) == 1) {}

void TerminalDialogue::say(std::string_view lines) { print(std::string(lines) + '\n'); }

std::string TerminalDialogue::ask(const std::string& prompt) {
  print(prompt);
  flush_output();
  std::string answer;
  if (!std::getline(std::cin, answer)) {
    print("\n");
    throw Error(ErrorCode::cancelled, "The input ended before all questions were answered.", "Nothing was changed");
  }
  if (!somebody_is_here_) print(answer + '\n');
  return answer;
}

bool TerminalDialogue::agrees(const std::string& question) {
  const auto answer = ask(question + " [y/N]: ");
  return answer == "y" || answer == "Y" || answer == "yes";
}

InterruptNotice::InterruptNotice() {
  struct sigaction action {};
  action.sa_handler = leave;
  ::sigaction(SIGINT, nullptr, &before_);
  // Started in the background, Ctrl-C is meant for somebody else.
  if (before_.sa_handler != SIG_IGN) ::sigaction(SIGINT, &action, nullptr);
}

InterruptNotice::~InterruptNotice() { ::sigaction(SIGINT, &before_, nullptr); }

}  // namespace metaflow::cli
