#include "base/hash.hpp"

#include <array>

// The functions of SHA-1 alone: EVP would bring most of OpenSSL into every program, 3.4 MB of code, and search its
// providers at every start. Both run the same code for this processor.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

namespace metaflow {
namespace {

std::string hex_text(const std::array<unsigned char, 20>& digest) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(40);
  for (const auto byte : digest) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace

struct Sha1::State {
  SHA_CTX context;
};

Sha1::Sha1() : state_(std::make_unique<State>()) { SHA1_Init(&state_->context); }

Sha1::~Sha1() = default;

void Sha1::update(std::span<const std::byte> bytes) { SHA1_Update(&state_->context, bytes.data(), bytes.size()); }

std::string Sha1::hex() {
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  SHA1_Final(digest.data(), &state_->context);
  return hex_text(digest);
}

std::string sha1_hex(std::span<const std::byte> bytes) {
  Sha1 sha1;
  sha1.update(bytes);
  return sha1.hex();
}

std::string sha1_hex(const Pieces& bytes) {
  Sha1 sha1;
  for (std::size_t i = 0; i < bytes.count(); ++i) sha1.update(bytes.piece(i));
  return sha1.hex();
}

}  // namespace metaflow
