#include "batch/outcome.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

namespace metaflow::batch {
namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

/// What there is to judge by: of the last attempt, and of the job where that is silent.
struct Evidence {
  std::optional<int> exit_code;
  std::string reason, status_reason;
};

Evidence evidence_of(const Job& job) {
  Evidence evidence{job.exit_code, job.reason, job.status_reason};
  if (job.attempts.empty()) return evidence;
  const auto& last = job.attempts.back();
  if (last.exit_code) evidence.exit_code = last.exit_code;
  if (!last.reason.empty()) evidence.reason = last.reason;
  if (evidence.status_reason.empty()) evidence.status_reason = last.status_reason;
  return evidence;
}

bool says(const Evidence& evidence, std::string_view part) {
  return contains(evidence.reason, part) || contains(evidence.status_reason, part);
}

/// The text that says most.
std::string quoted(const Evidence& evidence) {
  return evidence.reason.empty() ? evidence.status_reason : evidence.reason;
}

bool could_not_start(const Evidence& evidence) {
  constexpr std::array signs = {"ResourceInitializationError", "DockerTimeoutError",
                                "CannotStartContainerError",   "CannotCreateContainerError",
                                "CannotInspectContainerError", "Task failed to start"};
  return std::ranges::any_of(signs, [&](const char* sign) { return says(evidence, sign); });
}

/// A registry that is busy lets the image through later.
bool may_pass(const Evidence& evidence) {
  constexpr std::array signs = {"toomanyrequests", "timeout", "Timeout", "500", "502", "503", "504"};
  return std::ranges::any_of(signs, [&](const char* sign) { return says(evidence, sign); });
}

Verdict judge_exit_code(int code, const Evidence& evidence, const Limits& limits) {
  constexpr int not_executable = 126, not_found = 127, signal_base = 128, killed = 137, most_signals = 64;
  if (code == not_executable || code == not_found)
    return {
        Cause::bad_image,
        fmt::format("The image could not run the command of the task (exit code {}). It needs a shell, tar and gzip, "
                    "and the processor architecture of the machines of the queue.",
                    code),
        Again::useless};
  if (code == killed)
    return {Cause::signal, fmt::format("The container was killed by SIGKILL (exit code 137). Most often it ran out of "
                                       "memory: its limit is {:g} MB, raise memory= of @batch.",
                                       limits.memory_mb)};
  if (code > signal_base && code <= signal_base + most_signals)
    return {Cause::signal, fmt::format("The container was ended by signal {} ({}).", code - signal_base,
                                       ::strsignal(code - signal_base))};
  return {Cause::user_code, fmt::format("The task exited with code {}.{}", code,
                                        evidence.reason.empty() || contains(evidence.reason, "Essential container")
                                            ? ""
                                            : " AWS Batch says: " + evidence.reason)};
}

}  // namespace

Verdict judge(const Job& job, const Limits& limits) {
  const auto evidence = evidence_of(job);
  if (contains(evidence.status_reason, our_termination))
    return {Cause::terminated, "The job was terminated by Metaflow.", Again::useless};
  if (says(evidence, "OutOfMemoryError"))
    return {Cause::out_of_memory,
            fmt::format("The task ran out of memory (limit {:g} MB). Raise memory= of @batch.", limits.memory_mb),
            Again::useless};
  if (says(evidence, "Job attempt duration exceeded timeout"))
    return {Cause::timeout, limits.timeout
                                ? fmt::format("The job was stopped as it ran longer than its @timeout of {:g} s.",
                                              static_cast<double>(limits.timeout->count()) / 1000)
                                : std::string("The job was stopped as it ran longer than any may "
                                              "(METAFLOW_DEFAULT_RUNTIME_LIMIT).")};
  if (contains(evidence.status_reason, "Host EC2") || says(evidence, "Spot Task was interrupted"))
    return {Cause::machine_lost, fmt::format("The machine was taken away: {}", evidence.status_reason)};
  if (says(evidence, "CannotPullContainerError"))
    return {Cause::bad_image,
            fmt::format(
                "The image could not be pulled: {} Check its name, and that the machines of the queue reach and may "
                "use its registry.",
                quoted(evidence)),
            may_pass(evidence) ? Again::useful : Again::useless};
  if (says(evidence, "exec format error"))
    return {Cause::bad_image,
            "The image is for another processor architecture than the machines of the queue have. Use one for theirs.",
            Again::useless};
  if (could_not_start(evidence))
    return {Cause::start_failed, fmt::format("The container could not be started: {}", quoted(evidence))};
  if (evidence.exit_code && *evidence.exit_code != 0) return judge_exit_code(*evidence.exit_code, evidence, limits);
  if (job.is_terminated || job.is_cancelled)
    return {Cause::terminated, fmt::format("Somebody terminated the job: {}", evidence.status_reason), Again::useless};
  const auto text = quoted(evidence);
  return {Cause::unknown, text.empty() ? std::string("The job failed, and AWS Batch does not say why.")
                                       : fmt::format("The job failed. AWS Batch says: {}", text)};
}

std::optional<std::string> StartLines::next(const std::string& status, std::chrono::seconds now) {
  constexpr std::chrono::seconds pause{30};
  const bool has_changed = status != status_;
  if (!has_changed && now - told_ < pause) return std::nullopt;
  if (has_changed) since_ = now;
  told_ = now;
  status_ = status;
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(now - since_).count();
  return minutes == 0 ? fmt::format("Task is starting (status {})...", status)
                      : fmt::format("Task is starting (status {}, {} min)...", status, minutes);
}

std::string finished_line(const Job& job) {
  const auto code = evidence_of(job).exit_code;
  return fmt::format("Task finished with exit code {}.", code.value_or(job.status == "SUCCEEDED" ? 0 : 1));
}

std::chrono::milliseconds poll_interval(std::chrono::seconds since_change) {
  using std::chrono::seconds;
  if (since_change < seconds(30)) return seconds(1);
  if (since_change < seconds(120)) return seconds(2);
  if (since_change < seconds(600)) return seconds(5);
  return seconds(15);
}

}  // namespace metaflow::batch
