#pragma once

#include <chrono>
#include <string>

#include <metaflow/task.hpp>

/// Failures of steps that the engine itself finds, and all failures in words.
namespace metaflow::runtime {

/// A step that ran into its `@timeout`.
Failure timeout_failure(const std::string& step, std::chrono::milliseconds limit);
/// What `@catch` has to say when the process of every attempt ended without an exception.
Failure unexplained_failure(int attempts);

/// `1 h 2 min 3.5 s`
std::string duration_text(std::chrono::milliseconds duration);
/// In one line, for a list: `std::runtime_error: boom`.
std::string summary(const Failure& failure);

/// Tells the log of a task, on standard error, how its body failed.
void print_failure(const Current& current, const Failure& failure);
/// The same for a failure that `@catch` took, on standard output, as officially: each line is quoted.
void print_caught(const Current& current, const Failure& failure);

}  // namespace metaflow::runtime
