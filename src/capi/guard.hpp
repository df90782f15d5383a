#pragma once

#include <string>
#include <string_view>

#include <metaflow/metaflow.h>
#include <metaflow/buffer.hpp>
#include <metaflow/error.hpp>

/// What every function of the C interface needs: errors and bytes on their way out, arguments on their way in.

struct metaflow_error {
  metaflow_status status;
  std::string message, headline;
};

struct metaflow_buffer {
  metaflow::Buffer bytes;
};

namespace metaflow::capi {

/// Error(internal) for a status that there is not.
ErrorCode code_of(metaflow_status status) noexcept;

/// Runs `action`; what it throws becomes a status and, if the caller wants it, an error.
template <class Action>
metaflow_status guarded(metaflow_error** error, Action action) noexcept;

/// Puts the exception that is being handled into `*error`, unless `error` is null.
metaflow_status report_exception(metaflow_error** error) noexcept;

/// Error(invalid) that names the argument when it is null.
template <class T>
T& required(T* argument, const char* name);
/// The same when it is null or no UTF-8.
std::string_view required_text(const char* argument, const char* name);
/// For texts that only say something: empty for null, U+FFFD for what is no UTF-8.
std::string lenient_text(const char* argument);

[[noreturn]] void refuse_null(const char* name);

/// Text for a caller, followed by a zero byte.
metaflow_buffer* new_text(std::string_view text);
metaflow_buffer* new_buffer(Buffer bytes);

template <class Action>
metaflow_status guarded(metaflow_error** error, Action action) noexcept {
  try {
    action();
    return METAFLOW_OK;
  } catch (...) {
    return report_exception(error);
  }
}

template <class T>
T& required(T* argument, const char* name) {
  if (argument == nullptr) refuse_null(name);
  return *argument;
}

}  // namespace metaflow::capi
