#pragma once

#include <string>
#include <string_view>

#include "network/http_client.hpp"

namespace metaflow::aws {

/// What to do about a refusal.
enum class Refusal {
  not_found,
  denied,
  range,         ///< what was asked for lies behind the end
  conflict,      ///< a condition of the request does not hold
  transient,     ///< trying again may help
  clock,         ///< this machine's clock is off
  keys,          ///< the keys are no longer, or not yet, good: others may be
  wrong_region,  ///< the answer names the right one
  other,
};

struct ServiceError {
  Refusal kind = Refusal::other;
  int status = 0;
  std::string code = {}, message = {};  ///< as the service says; either may be empty
  std::string region = {};              ///< the right one, if it is named

  /// `AccessDenied (403): Access Denied`
  std::string sentence() const;
};

/// An error that came inside an answer: its kind follows from code and message.
ServiceError make_error(int status, std::string code, std::string message);

/// Reads an answer that is no success, be its body XML, JSON or nothing.
ServiceError read_error(const network::Response& response);

}  // namespace metaflow::aws
