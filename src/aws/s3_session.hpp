#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "aws/credentials.hpp"
#include "aws/s3_place.hpp"
#include "base/clock.hpp"
#include "network/http_client.hpp"
#include "network/retry.hpp"

namespace metaflow::aws {

struct S3Settings {
  std::string region;
  /// URL of a server other than AWS', without `/` at its end; empty for AWS' own.
  std::string endpoint = {};
  /// Its variables choose among AWS' own endpoints (see aws_endpoint).
  network::Environment environment = {};
  /// Sent as x-amz-server-side-encryption with all that is written, unless empty.
  std::string encryption = {};
  network::RetryLimits limits = {};
  /// Between the tries while nothing has answered yet: then a name is wrong more likely than a server down.
  std::chrono::milliseconds first_contact_wait = std::chrono::seconds(2);
  /// How long nothing may come or go before a request counts as lost.
  std::chrono::seconds stall_limit = std::chrono::seconds(20);
  /// Is told, in a sentence, when an operation is tried a third time; from any thread.
  std::function<void(const std::string&)> notice = {};
};

/// One request before it is signed. With an empty key it is about the bucket.
struct S3Request {
  std::string method;
  S3Place place;
  TextPairs query = {};
  TextPairs headers = {};
  network::Body body = {};
  network::Sink sink = {};
  int wanted_status = 200;
};

/// What all requests of one client have in common, and what was learned from the answers. Safe to use from several threads.
class S3Session {
 public:
  /// The references outlive it.
  S3Session(network::HttpClient& http, Credentials& credentials, Clock& clock, S3Settings settings);

  network::HttpClient& http() { return http_; }
  Credentials& credentials() { return credentials_; }
  Clock& clock() { return clock_; }
  const S3Settings& settings() const { return settings_; }
  std::int64_t now_s() const { return clock_.now_microseconds() / 1'000'000; }

  bool is_custom() const { return !settings_.endpoint.empty(); }
  /// Where a bucket is served: the endpoint that was set, or AWS' own of its region.
  std::string endpoint(const std::string& bucket) const;
  /// What the signature says of the body: over TLS nothing, as that protects it already and hashing costs time.
  std::string payload_digest(const S3Request& request) const;
  network::Request sign(const S3Request& request, const std::string& payload_digest, const SigningKeys& keys) const;

  /// Where a bucket is, as far as we know.
  std::string region(const std::string& bucket) const;
  void move_bucket(const std::string& bucket, const std::string& region);

  /// By how much servers are ahead of this machine's clock.
  void set_clock_offset(std::int64_t seconds) { clock_offset_s_ = seconds; }

  void saw_bucket(const std::string& bucket);
  bool knows_bucket(const std::string& bucket) const;

  void saw_answer() { was_answered_ = true; }
  bool was_answered() const { return was_answered_; }

  /// Whether the server takes `If-None-Match: *`, for all we know.
  bool has_conditional_put() const { return has_conditional_put_; }
  void lacks_conditional_put() { has_conditional_put_ = false; }

 private:
  network::HttpClient& http_;
  Credentials& credentials_;
  Clock& clock_;
  const S3Settings settings_;
  std::atomic<std::int64_t> clock_offset_s_ = 0;
  std::atomic<bool> was_answered_ = false, has_conditional_put_ = true;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> regions_;  // guarded by mutex_, of buckets that are elsewhere
  std::set<std::string> seen_;                  // guarded by mutex_, buckets that exist
};

}  // namespace metaflow::aws
