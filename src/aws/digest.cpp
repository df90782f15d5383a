#include "aws/digest.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include <openssl/evp.h>

#include <metaflow/error.hpp>

#include "base/base64.hpp"
#include "base/system_error.hpp"
#include "network/body.hpp"

namespace metaflow::aws {
namespace {

struct FreeDigest {
  void operator()(EVP_MD_CTX* digest) const { ::EVP_MD_CTX_free(digest); }
};

/// A digest of bytes that come in parts.
class Digest {
 public:
  explicit Digest(const EVP_MD* kind) : state_(::EVP_MD_CTX_new()) {
    check(state_ && ::EVP_DigestInit_ex(state_.get(), kind, nullptr));
  }
  void add(std::string_view bytes) { check(::EVP_DigestUpdate(state_.get(), bytes.data(), bytes.size())); }
  std::string take() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    check(::EVP_DigestFinal_ex(state_.get(), digest.data(), &size));
    return {reinterpret_cast<const char*>(digest.data()), size};
  }

 private:
  static void check(int outcome) {
    if (outcome != 1) throw Error(ErrorCode::internal, "OpenSSL cannot compute a digest");
  }

  std::unique_ptr<EVP_MD_CTX, FreeDigest> state_;
};

}  // namespace

std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const auto c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string sha256_of(const network::Body& body) {
  network::BodyReader reader(body);
  Digest digest(::EVP_sha256());
  std::vector<char> part(std::min<std::uint64_t>(reader.size(), 256 * 1024));
  for (std::uint64_t left = reader.size(); left > 0;) {
    const auto count = reader.read(part);
    if (!count) throw system_error("cannot read what is to be sent", errno);
    if (*count == 0)
      throw Error(ErrorCode::invalid, "a file to be sent has become shorter; send it once nobody writes to it");
    digest.add({part.data(), *count});
    left -= *count;
  }
  return hex(digest.take());
}

std::string md5_base64(std::string_view bytes) {
  Digest digest(::EVP_md5());
  digest.add(bytes);
  return encode_base64(digest.take());
}

}  // namespace metaflow::aws
