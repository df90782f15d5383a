#include "aws/signature.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <metaflow/error.hpp>

#include "aws/digest.hpp"
#include "base/text.hpp"

namespace metaflow::aws {
namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";

std::string hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  if (!::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()),
              reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size))
    throw Error(ErrorCode::internal, "OpenSSL cannot compute an HMAC");
  return {reinterpret_cast<const char*>(digest.data()), size};
}

std::string encode(std::string_view text, bool keep_slash) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string result;
  for (const auto c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~' || (c == '/' && keep_slash);
    if (plain) {
      result += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    result += '%';
    result += digits[byte >> 4];
    result += digits[byte & 15];
  }
  return result;
}

/// Without empty and `.` parts; `..` takes the part before it away.
std::string normalised(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    const auto part = path.substr(begin, end - begin);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
    begin = end + 1;
  }
  std::string result;
  for (const auto part : parts) result.append("/").append(part);
  return result.empty() || path.ends_with('/') ? result + "/" : result;
}

std::string canonical_path(const RequestToSign& request) {
  if (request.path_rule == PathRule::as_sent) return request.path.empty() ? "/" : request.path;
  return encode_path(normalised(request.path));
}

/// Trimmed, and runs of blanks made one.
std::string canonical_value(std::string_view value) {
  std::string result;
  bool gap = false;
  for (const auto c : value) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      gap = !result.empty();
      continue;
    }
    if (std::exchange(gap, false)) result += ' ';
    result += c;
  }
  return result;
}

struct CanonicalHeaders {
  std::string lines, names;
};

CanonicalHeaders canonical_headers(const TextPairs& headers) {
  TextPairs sorted;
  for (const auto& [name, value] : headers) sorted.emplace_back(lower_case(name), canonical_value(value));
  std::ranges::stable_sort(sorted, {}, &TextPairs::value_type::first);
  CanonicalHeaders result;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i > 0 && sorted[i].first == sorted[i - 1].first) {
      result.lines.pop_back();
      result.lines += "," + sorted[i].second + "\n";
      continue;
    }
    result.lines += sorted[i].first + ":" + sorted[i].second + "\n";
    result.names += (result.names.empty() ? "" : ";") + sorted[i].first;
  }
  return result;
}

/// A moment as `20261124T150405Z`.
std::string amazon_time(std::int64_t time_s) {
  const std::time_t time = time_s;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  (void)std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

std::string scope_text(const SigningScope& scope, const std::string& time) {
  return time.substr(0, 8) + "/" + scope.region + "/" + scope.service + "/aws4_request";
}

std::string signing_key(const SigningKeys& keys, const SigningScope& scope, const std::string& time) {
  return hmac(hmac(hmac(hmac("AWS4" + keys.secret, time.substr(0, 8)), scope.region), scope.service), "aws4_request");
}

/// Fills what both forms have in common; the request is complete but for the signature itself.
Signature sign(const RequestToSign& request, const CanonicalHeaders& headers, const SigningKeys& keys,
               const SigningScope& scope, const std::string& time) {
  Signature result;
  result.query = encode_query(request.query);
  result.canonical_request = request.method + "\n" + canonical_path(request) + "\n" + result.query + "\n" +
                             headers.lines + "\n" + headers.names + "\n" + request.payload_digest;
  result.string_to_sign = std::string(algorithm) + "\n" + time + "\n" + scope_text(scope, time) + "\n" +
                          sha256_hex(result.canonical_request);
  result.signature = hex(hmac(signing_key(keys, scope, time), result.string_to_sign));
  return result;
}

}  // namespace

Signature sign_headers(RequestToSign request, const SigningKeys& keys, const SigningScope& scope, std::int64_t time_s) {
  const auto time = amazon_time(time_s);
  TextPairs added = {{"x-amz-date", time}};
  if (!keys.token.empty()) added.emplace_back("x-amz-security-token", keys.token);
  if (request.path_rule == PathRule::as_sent) added.emplace_back("x-amz-content-sha256", request.payload_digest);
  request.headers.insert(request.headers.end(), added.begin(), added.end());
  const auto headers = canonical_headers(request.headers);
  auto result = sign(request, headers, keys, scope, time);
  added.emplace_back("authorization", std::string(algorithm) + " Credential=" + keys.key_id + "/" +
                                          scope_text(scope, time) + ", SignedHeaders=" + headers.names +
                                          ", Signature=" + result.signature);
  result.headers = std::move(added);
  return result;
}

Signature sign_query(RequestToSign request, const SigningKeys& keys, const SigningScope& scope, std::int64_t time_s,
                     std::int64_t valid_s) {
  const auto time = amazon_time(time_s);
  const auto headers = canonical_headers(request.headers);
  request.query.emplace_back("X-Amz-Algorithm", algorithm);
  request.query.emplace_back("X-Amz-Credential", keys.key_id + "/" + scope_text(scope, time));
  request.query.emplace_back("X-Amz-Date", time);
  request.query.emplace_back("X-Amz-Expires", std::to_string(valid_s));
  request.query.emplace_back("X-Amz-SignedHeaders", headers.names);
  if (!keys.token.empty()) request.query.emplace_back("X-Amz-Security-Token", keys.token);
  auto result = sign(request, headers, keys, scope, time);
  result.query += "&X-Amz-Signature=" + result.signature;
  return result;
}

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  if (!::EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, ::EVP_sha256(), nullptr))
    throw Error(ErrorCode::internal, "OpenSSL cannot compute a SHA-256");
  return hex({reinterpret_cast<const char*>(digest.data()), size});
}

std::string encode_text(std::string_view text) { return encode(text, false); }

std::string encode_path(std::string_view path) { return encode(path, true); }

std::string encode_query(const TextPairs& query) {
  TextPairs encoded;
  for (const auto& [name, value] : query) encoded.emplace_back(encode_text(name), encode_text(value));
  std::ranges::sort(encoded);
  std::string result;
  for (const auto& [name, value] : encoded)
    result.append(result.empty() ? "" : "&").append(name).append("=").append(value);
  return result;
}

}  // namespace metaflow::aws
