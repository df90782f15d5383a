#pragma once

#include <optional>
#include <string>

#include "aws/key_chain.hpp"
#include "aws/key_holder.hpp"
#include "aws/profiles.hpp"
#include "aws/region.hpp"
#include "aws/sts.hpp"
#include "base/clock.hpp"
#include "network/http_client.hpp"

namespace metaflow::cloud {

/// What all that talks to AWS in one process shares: connections, keys, region and endpoints. Safe to use from several threads.
class Session {
 public:
  /// The config file is read now, and keys when they are first wanted. `clock` outlives it.
  Session(aws::Environment environment, std::string home, Clock& clock);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  network::HttpClient& http() { return http_; }
  /// Those of http().
  network::HttpSettings http_settings() const;
  aws::KeyHolder& keys() { return keys_; }
  Clock& clock() { return clock_; }
  const aws::ProfileChoice& profile() const { return profile_; }

  /// Nothing when nobody says one; see require_region.
  std::optional<aws::RegionChoice> region(const aws::RegionHints& hints = {}) const;
  /// Error(invalid) with the sentence that says where to put one.
  std::string require_region(const aws::RegionHints& hints = {}) const;

  /// URL of a service, without `/` at its end. `variable` as in AWS_ENDPOINT_URL_…, `name` as in AWS' own URLs, `setting` of Metaflow.
  std::string endpoint(const std::string& variable, const std::string& name, const std::string& region,
                       const std::string& setting = {}) const;
  /// Whether an endpoint is not AWS' own.
  bool has_custom_endpoint(const std::string& variable, const std::string& setting = {}) const;

  /// Without a region that of us-east-1 is asked, as identities are the same in all.
  aws::Sts sts();

 private:
  aws::FoundKeys find_keys();

  const aws::Environment environment_;
  const std::string home_;
  Clock& clock_;
  const aws::Profiles profiles_;
  const aws::ProfileChoice profile_;
  network::HttpClient http_;
  aws::KeyHolder keys_;
};

/// The variables of this process.
aws::Environment process_environment();

}  // namespace metaflow::cloud
