#pragma once

#include <cstring>
#include <string>

#include <metaflow/error.hpp>
#include <metaflow/pickle.hpp>

namespace metaflow::test {

inline Buffer joined(const Encoded& encoded) {
  Buffer buffer(encoded.pickle.size());
  auto* at = buffer.data();
  for (std::size_t i = 0; i < encoded.pickle.count(); ++i) {
    const auto piece = encoded.pickle.piece(i);
    at = std::copy(piece.begin(), piece.end(), at);
  }
  return buffer;
}

inline Buffer unhex(std::string_view digits) {
  Buffer buffer(digits.size() / 2);
  for (std::size_t i = 0; i < buffer.size(); ++i)
    buffer.data()[i] = static_cast<std::byte>(std::stoi(std::string(digits.substr(2 * i, 2)), nullptr, 16));
  return buffer;
}

inline std::string hex(const Encoded& encoded) {
  static constexpr char digits[] = "0123456789abcdef";
  const Buffer buffer = joined(encoded);
  std::string text;
  for (const char c : buffer.text()) {
    text += digits[static_cast<unsigned char>(c) >> 4];
    text += digits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

inline Value copied(const Value& value) { return pickle::decode(joined(pickle::encode(value))); }

/// Why a pickle is refused; an Error of code `internal` when it is not.
inline Error pickle_error(std::string_view digits) {
  try {
    pickle::decode(unhex(digits));
  } catch (const Error& error) {
    return error;
  }
  return {ErrorCode::internal, "it was read"};
}

}  // namespace metaflow::test
