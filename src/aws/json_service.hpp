#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aws/credentials.hpp"
#include "aws/errors.hpp"
#include "base/clock.hpp"
#include "base/json.hpp"
#include "network/http_client.hpp"
#include "network/retry.hpp"

namespace metaflow::aws {

/// A service, and where it is.
struct JsonServiceSettings {
  std::string title;     ///< for sentences: `AWS Batch`
  std::string endpoint;  ///< its URL, without `/` at the end
  SigningScope scope;
  network::RetryLimits limits = {};
};

/// When a call may be made again.
enum class Repeat {
  always,       ///< whatever became of the one before
  if_not_done,  ///< only when that cannot have had an effect: it never got there, or was turned away
};

/// One call: `action` as permissions name it (`SubmitJob`), posted to `path`.
struct JsonCall {
  std::string_view action, path;
  Repeat repeat = Repeat::always;
};

/// Calls a service that takes JSON by POST and answers with JSON, as Batch does. Signs each attempt anew; tries again what may pass; asks for
/// other keys, and corrects the time it signs with, when that is what the service minds. Safe to use from several threads.
class JsonService {
 public:
  /// All references outlive it.
  JsonService(network::HttpClient& http, Credentials& credentials, Clock& clock, JsonServiceSettings settings)
      : http_(http), credentials_(credentials), clock_(clock), settings_(std::move(settings)) {}

  /// The answer. Error: unavailable when the service does not answer, or does not take the call now; denied for missing rights and
  /// keys that are not good; invalid for what it refuses otherwise.
  JsonValue call(const JsonCall& call, const JsonValue& request);
  /// The same call for each of the requests, many at a time.
  std::vector<JsonValue> call_all(const JsonCall& call, std::span<const JsonValue> requests);

 private:
  class Operation;

  network::HttpClient& http_;
  Credentials& credentials_;
  Clock& clock_;
  JsonServiceSettings settings_;
};

}  // namespace metaflow::aws
