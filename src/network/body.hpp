#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include <unistd.h>

#include "network/http_client.hpp"

/// Bodies on their way, a part at a time.
namespace metaflow::network {

/// A Buffer that grows as bytes come.
class GrowingBuffer {
 public:
  void reserve(std::size_t size) {
    if (size <= bytes_.size()) return;
    Buffer larger(size);
    if (used_ > 0) std::memcpy(larger.data(), bytes_.data(), used_);
    bytes_ = std::move(larger);
  }
  void append(std::span<const std::byte> bytes) {
    if (used_ + bytes.size() > bytes_.size()) reserve(std::max(used_ + bytes.size(), bytes_.size() * 2));
    std::memcpy(bytes_.data() + used_, bytes.data(), bytes.size());
    used_ += bytes.size();
  }
  Buffer take() {
    bytes_.truncate(used_);
    used_ = 0;
    return std::exchange(bytes_, {});
  }

 private:
  Buffer bytes_;
  std::size_t used_ = 0;
};

/// Hands out a request's body, from any place on.
class BodyReader {
 public:
  explicit BodyReader(const Body& body) : body_(&body) {}

  bool exists() const { return !std::holds_alternative<std::monostate>(*body_); }
  std::uint64_t size() const {
    if (const auto* pieces = std::get_if<const Pieces*>(body_)) return (*pieces)->size();
    if (const auto* file = std::get_if<FileRange>(body_)) return file->length;
    return 0;
  }
  void seek(std::uint64_t position) { position_ = position; }
  /// How many bytes were read; nothing, and the reason in errno, when the file refuses.
  std::optional<std::size_t> read(std::span<char> into) {
    const auto count = std::holds_alternative<FileRange>(*body_) ? read_file(into) : read_pieces(into);
    if (count) position_ += *count;
    return count;
  }

 private:
  std::optional<std::size_t> read_file(std::span<char> into) const {
    const auto& file = std::get<FileRange>(*body_);
    const auto wanted = std::min<std::uint64_t>(into.size(), file.length - position_);
    while (true) {
      const auto count = ::pread(file.descriptor, into.data(), wanted, static_cast<off_t>(file.offset + position_));
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) return std::nullopt;
    }
  }

  std::size_t read_pieces(std::span<char> into) const {
    const auto& pieces = *std::get<const Pieces*>(*body_);
    std::size_t copied = 0;
    auto skipped = position_;
    for (std::size_t i = 0; i < pieces.count() && copied < into.size(); ++i) {
      const auto piece = pieces.piece(i);
      if (skipped >= piece.size()) {
        skipped -= piece.size();
        continue;
      }
      const auto part = piece.subspan(skipped);
      const auto count = std::min(part.size(), into.size() - copied);
      std::memcpy(into.data() + copied, part.data(), count);
      copied += count;
      skipped = 0;
    }
    return copied;
  }

  const Body* body_;
  std::uint64_t position_ = 0;
};

}  // namespace metaflow::network
