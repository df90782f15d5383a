#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace [[gnu::visibility("default")]] metaflow {

/// What kind of failure an Error is; callers branch on this, never on the words.
enum class ErrorCode {
  usage,        ///< the command line or an option is wrong; exit code 2
  invalid,      ///< a value, a graph or a name is not acceptable
  not_found,    ///< what was asked for does not exist
  conflict,     ///< somebody else holds or has already made it
  denied,       ///< permission is missing
  unavailable,  ///< a service or device does not answer now; trying again may help
  exhausted,    ///< no space, memory, descriptors or attempts left
  cancelled,    ///< stopped on request
  corrupt,      ///< stored bytes are damaged
  internal,     ///< a bug of ours
};

/// The one exception type of the engine: a code, and one or two sentences a data scientist understands.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  /// The same, under a heading of its own ("Data missing", "Unhandled artifacts in merge").
  Error(ErrorCode code, const std::string& message, std::string headline)
      : std::runtime_error(message), code_(code), headline_(std::move(headline)) {}

  ErrorCode code() const noexcept { return code_; }
  /// The heading under which a command line shows it; empty for the usual one.
  const std::string& headline() const noexcept { return headline_; }
  /// Whether the same call may succeed later without any change.
  bool retryable() const noexcept { return code_ == ErrorCode::unavailable; }

 private:
  ErrorCode code_;
  std::string headline_;
};

}  // namespace gnu::visibility("default")]]metaflow
