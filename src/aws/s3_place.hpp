#pragma once

#include <string>
#include <string_view>

/// Where objects of S3 are, and where requests for them go.
namespace metaflow::aws {

/// One object, or with an empty key a bucket.
struct S3Place {
  std::string bucket, key = {};

  /// `s3://bucket/key`
  std::string url() const { return "s3://" + bucket + "/" + key; }
  bool operator==(const S3Place&) const = default;
};

/// Reads `s3://bucket/key`; `#`, `?` and spaces belong to the key. Error(invalid) for any other text.
S3Place parse_s3_url(std::string_view url);

/// Where a request goes.
struct S3Address {
  std::string url;   ///< without query
  std::string host;  ///< with the port, if one is named
  std::string path;  ///< as it goes on the wire
};

enum class S3Addressing {
  host_if_possible,  ///< AWS: the bucket is part of the host, unless its name cannot be
  path               ///< others: the bucket begins the path
};

/// `endpoint` is a URL without `/` at its end.
S3Address s3_address(const std::string& endpoint, S3Addressing addressing, const S3Place& place);

}  // namespace metaflow::aws
