#include "capi/guard.hpp"

#include <algorithm>
#include <new>
#include <span>

#include "base/utf8.hpp"
#include "base/version.hpp"

namespace metaflow::capi {
namespace {

metaflow_status status_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::usage:
      return METAFLOW_USAGE;
    case ErrorCode::invalid:
      return METAFLOW_INVALID;
    case ErrorCode::not_found:
      return METAFLOW_NOT_FOUND;
    case ErrorCode::conflict:
      return METAFLOW_CONFLICT;
    case ErrorCode::denied:
      return METAFLOW_DENIED;
    case ErrorCode::unavailable:
      return METAFLOW_UNAVAILABLE;
    case ErrorCode::exhausted:
      return METAFLOW_EXHAUSTED;
    case ErrorCode::cancelled:
      return METAFLOW_CANCELLED;
    case ErrorCode::corrupt:
      return METAFLOW_CORRUPT;
    case ErrorCode::internal:
      break;
  }
  return METAFLOW_INTERNAL;
}

metaflow_status report(metaflow_error** error, metaflow_status status, std::string_view message,
                       std::string_view headline = {}) noexcept {
  if (error == nullptr) return status;
  try {
    *error = new metaflow_error{status, sanitized_utf8(message), sanitized_utf8(headline)};
  } catch (...) {
    // Without memory even for a text: the functions that read an error take null as well.
    *error = nullptr;
  }
  return status;
}

}  // namespace

ErrorCode code_of(metaflow_status status) noexcept {
  for (const auto code :
       {ErrorCode::usage, ErrorCode::invalid, ErrorCode::not_found, ErrorCode::conflict, ErrorCode::denied,
        ErrorCode::unavailable, ErrorCode::exhausted, ErrorCode::cancelled, ErrorCode::corrupt})
    if (status_of(code) == status) return code;
  return ErrorCode::internal;
}

metaflow_status report_exception(metaflow_error** error) noexcept {
  try {
    throw;
  } catch (const Error& problem) {
    return report(error, status_of(problem.code()), problem.what(), problem.headline());
  } catch (const std::bad_alloc&) {
    return report(error, METAFLOW_EXHAUSTED, "There is not enough memory for this.");
  } catch (const std::exception& problem) {
    return report(error, METAFLOW_INTERNAL, problem.what());
  } catch (...) {
    return report(error, METAFLOW_INTERNAL, "something was thrown that is no std::exception");
  }
}

void refuse_null(const char* name) {
  throw Error(ErrorCode::invalid, "The argument '" + std::string(name) + "' must not be NULL.");
}

std::string_view required_text(const char* argument, const char* name) {
  const std::string_view text(&required(argument, name));
  if (is_utf8(text)) return text;
  throw Error(ErrorCode::invalid,
              "The argument '" + std::string(name) + "' is not UTF-8 text: '" + sanitized_utf8(text) + "'.");
}

std::string lenient_text(const char* argument) { return argument == nullptr ? "" : sanitized_utf8(argument); }

metaflow_buffer* new_text(std::string_view text) {
  Buffer bytes(text.size() + 1);
  std::ranges::copy(std::as_bytes(std::span(text)), bytes.data());
  bytes.data()[text.size()] = std::byte{0};
  bytes.truncate(text.size());
  return new metaflow_buffer{std::move(bytes)};
}

metaflow_buffer* new_buffer(Buffer bytes) { return new metaflow_buffer{std::move(bytes)}; }

}  // namespace metaflow::capi

using namespace metaflow::capi;

int metaflow_abi_version(void) { return METAFLOW_ABI_MAJOR * 1000 + METAFLOW_ABI_MINOR; }
const char* metaflow_version(void) { return metaflow::version.data(); }

metaflow_error* metaflow_error_new(metaflow_status status, const char* message, const char* headline) {
  try {
    return new metaflow_error{status, lenient_text(message), lenient_text(headline)};
  } catch (...) {
    return nullptr;
  }
}
metaflow_status metaflow_error_status(const metaflow_error* error) {
  return error == nullptr ? METAFLOW_EXHAUSTED : error->status;
}
const char* metaflow_error_message(const metaflow_error* error) {
  return error == nullptr ? "There is not enough memory to say what is wrong." : error->message.c_str();
}
const char* metaflow_error_headline(const metaflow_error* error) {
  return error == nullptr ? "" : error->headline.c_str();
}
void metaflow_error_free(metaflow_error* error) { delete error; }

metaflow_buffer* metaflow_buffer_new(const void* data, size_t size) {
  try {
    return data == nullptr && size > 0 ? nullptr : new_text({static_cast<const char*>(data), size});
  } catch (...) {
    return nullptr;
  }
}
void* metaflow_buffer_data(metaflow_buffer* buffer) { return buffer == nullptr ? nullptr : buffer->bytes.data(); }
size_t metaflow_buffer_size(const metaflow_buffer* buffer) { return buffer == nullptr ? 0 : buffer->bytes.size(); }
void metaflow_buffer_free(metaflow_buffer* buffer) { delete buffer; }
