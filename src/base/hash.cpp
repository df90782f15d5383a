#include "base/hash.hpp"

#include <array>
#include <new>

#include <openssl/crypto.h>
#include <openssl/evp.h>

namespace metaflow {
namespace {

/// Looked up once: EVP_sha1() would search the providers again for every digest.
const EVP_MD* sha1_method() {
  static const EVP_MD* method = [] {
    // The machine's openssl.cnf has nothing to say about SHA-1; reading it would cost every short process a while.
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    return EVP_MD_fetch(nullptr, "SHA1", nullptr);
  }();
  return method;
}

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
  struct Free {
    void operator()(EVP_MD_CTX* unused) const { EVP_MD_CTX_free(unused); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
};

Sha1::Sha1() : state_(std::make_unique<State>()) {
  // OpenSSL fails here only without memory: the method is built in.
  if (!state_->context || EVP_DigestInit_ex2(state_->context.get(), sha1_method(), nullptr) != 1) {
    throw std::bad_alloc();
  }
}

Sha1::~Sha1() = default;

void Sha1::update(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size());
}

std::string Sha1::hex() {
  std::array<unsigned char, 20> digest;
  EVP_DigestFinal_ex(state_->context.get(), digest.data(), nullptr);
  return hex_text(digest);
}

void prepare_hashing() { sha1_method(); }

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
