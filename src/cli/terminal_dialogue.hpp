#pragma once

#include <string>
#include <string_view>

#include <csignal>

#include "cli/aws_wizard.hpp"

namespace metaflow::cli {

/// Asks on standard output, and takes lines of standard input: of somebody at a terminal, or piped; piped answers are shown
/// behind their questions.
class TerminalDialogue final : public Dialogue {
 public:
  TerminalDialogue();

  void say(std::string_view lines) override;
  std::string ask(const std::string& prompt) override;
  bool can_ask_again() const override { return somebody_is_here_; }
  /// No without an answer, too.
  bool agrees(const std::string& question);

 private:
  bool somebody_is_here_;
};

/// While it lives, Ctrl-C says that nothing was changed and ends the process with 1, whatever it is doing.
class InterruptNotice {
 public:
  InterruptNotice();
  ~InterruptNotice();
  InterruptNotice(const InterruptNotice&) = delete;
  InterruptNotice& operator=(const InterruptNotice&) = delete;

 private:
  struct sigaction before_ {};
};

}  // namespace metaflow::cli
