#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace metaflow::pickle::detail {

/// Arguments of opcodes, taken from the front of a pickle. Every read is checked against what is left.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes, std::size_t at = 0) : bytes_(bytes), at_(at) {}

  std::size_t position() const { return at_; }
  std::size_t remaining() const { return bytes_.size() - at_; }
  bool at_end() const { return at_ == bytes_.size(); }
  unsigned char next() { return static_cast<unsigned char>(bytes_[at_++]); }

  /// Nothing left of `size` bytes is std::nullopt.
  std::optional<std::string_view> take(std::uint64_t size) {
    if (size > remaining()) return std::nullopt;
    const auto part = bytes_.substr(at_, static_cast<std::size_t>(size));
    at_ += static_cast<std::size_t>(size);
    return part;
  }
  /// Up to and without the newline, which is skipped.
  std::optional<std::string_view> take_line() {
    const auto end = bytes_.find('\n', at_);
    if (end == bytes_.npos) return std::nullopt;
    const auto line = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return line;
  }

 private:
  std::string_view bytes_;
  std::size_t at_;
};

}  // namespace metaflow::pickle::detail
