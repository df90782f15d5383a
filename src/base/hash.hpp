#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include <metaflow/buffer.hpp>

namespace metaflow {

/// SHA-1 of bytes that come in pieces.
class Sha1 {
 public:
  Sha1();
  ~Sha1();
  Sha1(const Sha1&) = delete;
  Sha1& operator=(const Sha1&) = delete;

  void update(std::span<const std::byte> bytes);
  /// 40 lowercase hex digits; call once, last.
  std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// SHA-1 as 40 lowercase hex digits.
std::string sha1_hex(std::span<const std::byte> bytes);
std::string sha1_hex(const Pieces& bytes);

}  // namespace metaflow
