#pragma once

#include <optional>

#include <metaflow/error.hpp>

#include "aws/errors.hpp"
#include "aws/s3_session.hpp"

namespace metaflow::aws {

/// One operation on its way: signs each attempt anew, and does what helps against any refusal. It tries again what may pass, goes to
/// the bucket's region, corrects the time it signs with, and asks for other keys, the last three once. What succeeds or is refused
/// otherwise is for those derived from it.
class S3Call : public network::Exchange {
 public:
  /// `action` as permissions name it, without `s3:`.
  S3Call(S3Session& session, std::string action, S3Request request);
  S3Call(S3Session& session, std::string action, S3Request request, network::RetryLimits limits);

  network::Request request() final;
  std::optional<std::chrono::milliseconds> answered(network::Response response) final;

 protected:
  /// How long to wait before request_ is sent, as it is then; nothing when the operation is over.
  using Next = std::optional<std::chrono::milliseconds>;
  static constexpr Next over = std::nullopt;
  static constexpr Next at_once = std::chrono::milliseconds(0);

  virtual Next succeeded(network::Response response) = 0;
  virtual Next refused(const ServiceError& error, const network::Response& response);

  /// Another attempt after a while, or the Error when there is no time left; `reason` is what went wrong.
  Next try_again(const std::string& reason, std::chrono::milliseconds asked = {});
  /// What to throw about a refusal.
  Error refusal(const ServiceError& error) const;
  Error no_bucket() const;

  S3Session& session() { return session_; }
  /// Whether there were attempts before, of which any may have had an effect that we never heard of.
  bool is_repeated() const { return retry_.retries() > 0; }
  /// How often something was set right: region, time or keys.
  int corrections() const {
    return static_cast<int>(was_moved_) + static_cast<int>(was_timed_) + static_cast<int>(has_new_keys_);
  }

  S3Request request_;

 private:
  Next after_problem(const network::Response& response);
  /// Nothing when this is no refusal that can be set right.
  bool set_right(const ServiceError& error, const network::Response& response);
  std::string who() const;
  std::string what() const;

  S3Session& session_;
  std::string action_;
  network::Retry retry_;
  std::string body_digest_;  // of the only body that an operation has
  SigningKeys keys_;
  int first_contacts_ = 0;
  bool was_moved_ = false, was_timed_ = false, has_new_keys_ = false;
};

/// An operation that reads one object. Tells a missing key (for which the derived is called), a missing bucket, a missing right to read,
/// and a missing right to list from each other: without the last S3 answers 403 for keys that do not exist.
class S3ReadCall : public S3Call {
 public:
  using S3Call::S3Call;

 protected:
  Next succeeded(network::Response response) final;
  Next refused(const ServiceError& error, const network::Response& response) final;

  virtual Next found(network::Response response) = 0;
  virtual Next missing() = 0;
  /// Any other refusal.
  virtual Next refused_to_read(const ServiceError& error, const network::Response& response) {
    return S3Call::refused(error, response);
  }

 private:
  bool is_puzzling(const ServiceError& error) const;
  void start_probe(const ServiceError& error);
  Next end_probe();
  Error cannot_tell() const;

  std::optional<ServiceError> puzzle_;  // while it is looked into by another request
  S3Request original_;
  int corrections_before_ = 0;
  bool was_probed_ = false;
};

}  // namespace metaflow::aws
