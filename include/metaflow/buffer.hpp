#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace [[gnu::visibility("default")]] metaflow {

/// Owned bytes, aligned to 64 so that an array found inside them can be used where it lies. Move-only.
class Buffer {
 public:
  static constexpr std::size_t alignment = 64;

  Buffer() = default;
  /// `size` bytes of unspecified content. Throws std::bad_alloc.
  explicit Buffer(std::size_t size);

  std::byte* data() noexcept { return data_.get(); }
  const std::byte* data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return size_; }
  std::span<std::byte> span() noexcept { return {data_.get(), size_}; }
  std::span<const std::byte> span() const noexcept { return {data_.get(), size_}; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_.get()), size_}; }
  /// Forgets all after the first `size` bytes; the memory stays as it is.
  void truncate(std::size_t size) noexcept { size_ = size < size_ ? size : size_; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const noexcept { ::operator delete (bytes, std::align_val_t{alignment}); }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

/// Bytes to be written in order: small pieces owned, large ones borrowed from the value they came from, so that saving
/// an array copies nothing. Whoever holds a Pieces keeps the borrowed memory alive and unchanged.
class Pieces {
 public:
  void own(std::string bytes);
  void borrow(std::span<const std::byte> bytes);
  /// Moves all of `other` to the end.
  void append(Pieces&& other);
  /// Total length in bytes.
  std::size_t size() const noexcept { return size_; }
  std::size_t count() const noexcept { return pieces_.size(); }
  std::span<const std::byte> piece(std::size_t i) const {
    const Piece& piece = pieces_[i];
    return piece.is_owned ? std::as_bytes(std::span(piece.owned)) : piece.borrowed;
  }

 private:
  struct Piece {
    std::string owned;
    std::span<const std::byte> borrowed;
    bool is_owned;
  };
  std::vector<Piece> pieces_;
  std::size_t size_ = 0;
};

/// One value ready to be stored: its pickle, and the Python type it will have there, e.g. `<class 'int'>`.
struct Encoded {
  Pieces pickle;
  std::string type;
};

}  // namespace gnu::visibility("default")]]metaflow
