#include "runtime/failures.hpp"

#include <cstdio>

#include <fmt/format.h>

namespace metaflow::runtime {
namespace {

using std::chrono::milliseconds;

/// `<flow F step s[i,j] (input: v)>`
std::string describe(const Current& current) {
  constexpr std::size_t longest_input = 20;
  std::string indices, input;
  for (const auto& frame : current.foreach_stack)
    indices += fmt::format("{}{}", indices.empty() ? "" : ",", frame.index);
  if (!indices.empty()) indices = "[" + indices + "]";
  if (!current.foreach_stack.empty() && current.foreach_stack.back().value) {
    const auto& value = *current.foreach_stack.back().value;
    input = fmt::format(" (input: {}{})", value.substr(0, longest_input), value.size() > longest_input ? "..." : "");
  }
  return fmt::format("<flow {} step {}{}{}>", current.flow_name, current.step_name, indices, input);
}

std::string indented(std::string_view text) {
  std::string lines = "    ";
  for (const char c : text) lines += c == '\n' ? std::string("\n    ") : std::string(1, c);
  return lines;
}

std::string trace_of(const Failure& failure) {
  std::string text;
  if (!failure.stacktrace.empty() && failure.stacktrace != failure.message) text += failure.stacktrace;
  if (failure.stacktrace.find(failure.message) == std::string::npos || failure.stacktrace == failure.message)
    text += failure.type + ": " + failure.message;
  return text + '\n';
}

std::string text_of(const Failure& failure) {
  if (!failure.headline.empty()) return fmt::format("    {}:\n{}\n", failure.headline, indented(failure.message));
  return "    Internal error\n" + trace_of(failure);
}

std::string quoted(std::string_view text) {
  constexpr const char* mark = ">  ";
  std::string lines = mark;
  while (text.ends_with('\n')) text.remove_suffix(1);
  for (const char c : text) lines += c == '\n' ? std::string("\n") + mark : std::string(1, c);
  return lines + '\n';
}

}  // namespace

Failure timeout_failure(const std::string& step, milliseconds limit) {
  const auto message = fmt::format("Step {} timed out after {}.", step, duration_text(limit));
  return {"metaflow.plugins.timeout_decorator.TimeoutException", message, message, "@timeout"};
}

Failure unexplained_failure(int attempts) {
  const auto message =
      fmt::format("The process of the step ended {} {} without an exception; the log of each attempt may say why.",
                  attempts, attempts == 1 ? "time" : "times");
  return {"metaflow.plugins.catch_decorator.FailureHandledByCatch", message, message, {}};
}

std::string duration_text(milliseconds duration) {
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(duration);
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(duration - hours);
  const auto rest = duration - hours - minutes;
  std::string text;
  if (hours.count() > 0) text += fmt::format("{} h ", hours.count());
  if (minutes.count() > 0) text += fmt::format("{} min ", minutes.count());
  if (rest.count() > 0 || text.empty()) text += fmt::format("{} s ", static_cast<double>(rest.count()) / 1000);
  text.pop_back();
  return text;
}

std::string summary(const Failure& failure) {
  auto line = failure.type.empty() ? failure.message : failure.type + ": " + failure.message;
  return line.substr(0, line.find('\n'));
}

void print_failure(const Current& current, const Failure& failure) {
  std::fputs((describe(current) + " failed:\n" + text_of(failure) + '\n').c_str(), stderr);
}

void print_caught(const Current& current, const Failure& failure) {
  std::fputs(("@catch took an exception of " + describe(current) + ":\n" + quoted(trace_of(failure))).c_str(), stdout);
}

}  // namespace metaflow::runtime
