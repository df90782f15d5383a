#include "aws/s3_session.hpp"

#include "aws/digest.hpp"
#include "aws/region.hpp"

namespace metaflow::aws {

S3Session::S3Session(network::HttpClient& http, Credentials& credentials, Clock& clock, S3Settings settings)
    : http_(http), credentials_(credentials), clock_(clock), settings_(std::move(settings)) {}

std::string S3Session::endpoint(const std::string& bucket) const {
  return is_custom() ? settings_.endpoint : aws_endpoint(settings_.environment, "s3", region(bucket));
}

std::string S3Session::payload_digest(const S3Request& request) const {
  if (endpoint(request.place.bucket).starts_with("https:")) return std::string(unsigned_payload);
  return sha256_of(request.body);
}

network::Request S3Session::sign(const S3Request& request, const std::string& payload_digest,
                                 const SigningKeys& keys) const {
  const auto& bucket = request.place.bucket;
  auto address =
      s3_address(endpoint(bucket), is_custom() ? S3Addressing::path : S3Addressing::host_if_possible, request.place);
  RequestToSign to_sign{.method = request.method,
                        .path = address.path,
                        .query = request.query,
                        .headers = request.headers,
                        .payload_digest = payload_digest,
                        .path_rule = PathRule::as_sent};
  to_sign.headers.emplace_back("host", address.host);
  auto signature = sign_headers(to_sign, keys, {.region = region(bucket), .service = "s3"}, now_s() + clock_offset_s_);
  network::Request signed_request;
  signed_request.method = request.method;
  signed_request.url = address.url + (signature.query.empty() ? "" : "?" + signature.query);
  signed_request.headers = std::move(to_sign.headers);
  for (auto& header : signature.headers) signed_request.headers.push_back(std::move(header));
  signed_request.body = request.body;
  signed_request.sink = request.sink;
  signed_request.wanted_status = request.wanted_status;
  signed_request.stall_limit = settings_.stall_limit;
  return signed_request;
}

std::string S3Session::region(const std::string& bucket) const {
  const std::scoped_lock lock(mutex_);
  const auto found = regions_.find(bucket);
  return found == regions_.end() ? settings_.region : found->second;
}

void S3Session::move_bucket(const std::string& bucket, const std::string& region) {
  const std::scoped_lock lock(mutex_);
  regions_.insert_or_assign(bucket, region);
}

void S3Session::saw_bucket(const std::string& bucket) {
  const std::scoped_lock lock(mutex_);
  seen_.insert(bucket);
}

bool S3Session::knows_bucket(const std::string& bucket) const {
  const std::scoped_lock lock(mutex_);
  return seen_.contains(bucket);
}

}  // namespace metaflow::aws
