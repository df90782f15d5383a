#include <metaflow/buffer.hpp>

#include <cstdint>
#include <iterator>

#include <sys/mman.h>

namespace metaflow {
namespace {

constexpr std::size_t huge_page = 2 << 20;

/// Filling a large buffer page by page spends more time in the kernel's page faults than in copying; huge pages are
/// 512 times fewer. Only advice: without them all goes on as before.
void advise_huge_pages(std::byte* data, std::size_t size) {
  const auto start = (reinterpret_cast<std::uintptr_t>(data) + huge_page - 1) / huge_page * huge_page;
  const auto end = (reinterpret_cast<std::uintptr_t>(data) + size) / huge_page * huge_page;
  if (start < end) ::madvise(reinterpret_cast<void*>(start), end - start, MADV_HUGEPAGE);
}

}  // namespace

Buffer::Buffer(std::size_t size)
    : data_(static_cast<std::byte*>(::operator new (size, std::align_val_t{alignment}))), size_(size) {
  if (size >= 2 * huge_page) advise_huge_pages(data_.get(), size);
}

void Pieces::own(std::string bytes) {
  size_ += bytes.size();
  pieces_.push_back({std::move(bytes), {}, true});
}

void Pieces::borrow(std::span<const std::byte> bytes) {
  size_ += bytes.size();
  pieces_.push_back({{}, bytes, false});
}

void Pieces::append(Pieces&& other) {
  size_ += std::exchange(other.size_, 0);
  pieces_.insert(pieces_.end(), std::make_move_iterator(other.pieces_.begin()),
                 std::make_move_iterator(other.pieces_.end()));
  other.pieces_.clear();
}

}  // namespace metaflow
