#include "aws/s3_place.hpp"

#include <algorithm>

#include <metaflow/error.hpp>

#include "aws/signature.hpp"

namespace metaflow::aws {
namespace {

/// Whether a bucket's name can be one label of a host's. With dots it would be several, which no certificate covers.
bool is_label(std::string_view bucket) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return bucket.size() >= 3 && bucket.size() <= 63 && is_plain(bucket.front()) && is_plain(bucket.back()) &&
         std::ranges::all_of(bucket, [&](char c) { return is_plain(c) || c == '-'; });
}

}  // namespace

S3Place parse_s3_url(std::string_view url) {
  constexpr std::string_view scheme = "s3://";
  auto rest = url;
  if (rest.starts_with(scheme)) {
    rest.remove_prefix(scheme.size());
    const auto slash = std::min(rest.find('/'), rest.size());
    if (slash > 0)
      return {std::string(rest.substr(0, slash)), std::string(rest.substr(std::min(slash + 1, rest.size())))};
  }
  throw Error(ErrorCode::invalid, "'" + std::string(url) + "' is no place in S3; write s3://bucket/key");
}

S3Address s3_address(const std::string& endpoint, S3Addressing addressing, const S3Place& place) {
  const auto scheme_end = endpoint.find("://");
  const auto host_begin = scheme_end == std::string::npos ? 0 : scheme_end + 3;
  const auto host_end = std::min(endpoint.find('/', host_begin), endpoint.size());
  const auto scheme = endpoint.substr(0, host_begin);
  auto host = endpoint.substr(host_begin, host_end - host_begin);
  auto path = endpoint.substr(host_end);
  if (addressing == S3Addressing::host_if_possible && is_label(place.bucket)) {
    host = place.bucket + "." + host;
  } else {
    path += "/" + encode_path(place.bucket);
  }
  if (!place.key.empty() || path.empty()) path += "/" + encode_path(place.key);
  auto url = scheme + host + path;
  return {.url = std::move(url), .host = std::move(host), .path = std::move(path)};
}

}  // namespace metaflow::aws
