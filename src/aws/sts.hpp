#pragma once

#include <optional>
#include <string>

#include "aws/credentials.hpp"
#include "aws/profiles.hpp"
#include "aws/signature.hpp"
#include "base/clock.hpp"
#include "network/http_client.hpp"
#include "network/retry.hpp"

namespace metaflow::aws {

/// A role that somebody wants to take on; what is empty is not sent.
struct RoleRequest {
  std::string role_arn, session_name;
  std::string external_id = {}, duration_seconds = {};
  std::string serial = {}, code = {};  ///< of a device that shows codes
  std::string web_identity_token = {};
};

struct RoleKeys {
  SigningKeys keys;
  std::int64_t expiry_s = 0;  ///< Unix time
};

/// Whose keys are used.
struct Caller {
  std::string account, arn;
};

/// AWS' service that tells identities and lends roles. Short failures are tried again. All throw Error: denied when it refuses, unavailable
/// when it does not answer, corrupt for an answer that cannot be read.
class Sts {
 public:
  struct Settings {
    std::string endpoint;  ///< URL without `/` at the end
    std::string region;
    network::RetryLimits limits = {.longest = std::chrono::seconds(2), .budget = std::chrono::seconds(15)};
  };

  /// References outlive it.
  Sts(network::HttpClient& http, Clock& clock, Settings settings)
      : http_(http), clock_(clock), settings_(std::move(settings)) {}

  RoleKeys assume_role(const RoleRequest& role, Credentials& credentials);
  /// With a token of somebody whom the role trusts, instead of keys.
  RoleKeys assume_role_with_web_identity(const RoleRequest& role);
  Caller caller(Credentials& credentials);

 private:
  class Operation;

  std::string call(const std::string& action, const TextPairs& parameters, Credentials* credentials);

  network::HttpClient& http_;
  Clock& clock_;
  Settings settings_;
};

/// The service for a profile: its region, without one us-east-1, as identities are the same in all; and its endpoint. References outlive it.
Sts sts_of(const Environment& environment, const Profiles& profiles, const std::string& profile,
           network::HttpClient& http, Clock& clock);

/// Keys that stay as they are.
class FixedKeys final : public Credentials {
 public:
  explicit FixedKeys(SigningKeys keys) : keys_(std::move(keys)) {}
  SigningKeys keys() override { return keys_; }
  bool replace(const SigningKeys&) override { return false; }

 private:
  SigningKeys keys_;
};

}  // namespace metaflow::aws
