#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Signature Version 4: who sends a request, and that nobody changed it. All pure: time and keys are handed in.
namespace metaflow::aws {

struct SigningKeys {
  std::string key_id, secret;
  std::string token = {};  ///< of temporary keys; empty for others
};

/// For whom a signature is good.
struct SigningScope {
  std::string region, service;
};

using TextPairs = std::vector<std::pair<std::string, std::string>>;

/// How the path is signed: S3 takes it as it is on the wire; all others encode it once more, without empty, `.` and `..` parts.
enum class PathRule { as_sent, normalised };

inline constexpr std::string_view unsigned_payload = "UNSIGNED-PAYLOAD";

struct RequestToSign {
  std::string method;
  std::string path;            ///< as it goes on the wire (see encode_path)
  TextPairs query = {};        ///< not encoded
  TextPairs headers = {};      ///< with `host`; all of them are signed
  std::string payload_digest;  ///< sha256_hex of the body, or unsigned_payload
  PathRule path_rule = PathRule::normalised;
};

struct Signature {
  /// To be added to the headers of the request: `x-amz-date`, `authorization` and so on. In the query form empty.
  TextPairs headers;
  /// The query as it goes on the wire, without `?`.
  std::string query;
  std::string canonical_request, string_to_sign;  ///< what was signed, for whom a server's complaint is to be compared
  std::string signature;
};

/// Signs in the header `Authorization`. `time_s` is Unix time. S3 (PathRule::as_sent) gets `x-amz-content-sha256` too.
Signature sign_headers(RequestToSign request, const SigningKeys& keys, const SigningScope& scope, std::int64_t time_s);

/// Signs in the query: a URL that anybody may use for `valid_s` seconds.
Signature sign_query(RequestToSign request, const SigningKeys& keys, const SigningScope& scope, std::int64_t time_s,
                     std::int64_t valid_s);

/// 64 lowercase hex digits.
std::string sha256_hex(std::string_view bytes);

/// Percent-encodes all but letters, digits and `-._~`.
std::string encode_text(std::string_view text);
/// The same, but keeps `/`.
std::string encode_path(std::string_view path);
/// `a=1&b=2`, each encoded, sorted as signatures want it.
std::string encode_query(const TextPairs& query);

}  // namespace metaflow::aws
