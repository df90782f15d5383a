#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "aws/s3_objects.hpp"
#include "aws/s3_session.hpp"

namespace metaflow::aws {

/// S3, and what speaks its protocol. Each call takes any number of operations and has many of them on the way at a time; answers come in
/// the order of what was asked. Operations are repeated as long as that may help and their budget lasts. All throw Error, with the
/// place in its words: denied, unavailable, not_found for a bucket that does not exist, invalid for what S3 refuses otherwise; with
/// several operations at the first failure, and what becomes of the others is not known then. Safe to use from several threads.
class S3Client {
 public:
  /// The references outlive it.
  S3Client(network::HttpClient& http, Credentials& credentials, Clock& clock, S3Settings settings);
  ~S3Client();

  /// Nothing for an object that does not exist.
  std::vector<std::optional<S3ObjectInfo>> head(std::span<const S3Place> places);
  /// The same, with the bytes. Large objects come in many parts at a time, all of the same version.
  std::vector<std::optional<S3Object>> get(std::span<const S3Get> wanted);
  /// Whether each was written: with S3Condition::if_absent, false when something was there. When an answer got lost, that may be
  /// what we wrote ourselves: then nobody is told true. Large ones go in parts, which are removed when that fails.
  std::vector<bool> put(std::span<const S3Put> values);
  /// Afterwards nothing is there; there may have been nothing before.
  void remove(std::span<const S3Place> places);
  std::vector<S3Listing> list(std::span<const S3List> wanted);

  std::optional<S3ObjectInfo> head(const S3Place& place);
  std::optional<S3Object> get(const S3Get& wanted);
  bool put(const S3Put& value);
  S3Listing list(const S3List& wanted);

 private:
  std::unique_ptr<S3Session> session_;
};

}  // namespace metaflow::aws
