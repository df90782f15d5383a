#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include <metaflow/buffer.hpp>

/// gzip, several times faster than zlib: large values are cut into members that are packed and unpacked in parallel,
/// and what does not shrink is stored, not searched for repetitions. Any gzip reader reads the result
/// (docs/formats/blobs.md).
namespace metaflow {

/// The packing of one value, member by member. Borrows from `bytes`, and so does the result.
class GzipPacking {
 public:
  explicit GzipPacking(const Pieces& bytes);

  std::size_t member_count() const { return members_.size(); }
  /// Packs one member; once for each, on any threads.
  void pack(std::size_t member);
  /// The whole file, once all are packed.
  Pieces take();

 private:
  using Spans = std::vector<std::span<const std::byte>>;
  struct Member {
    Spans input;
    Pieces packed;
  };
  void add(std::span<const std::byte> bytes);
  std::vector<Member> members_;
};

/// A gzip file holding `bytes`, from which it borrows.
Pieces gzip_pack(const Pieces& bytes);

/// Gets unpacked bytes in order while more are being unpacked.
using BytesSink = std::function<void(std::span<const std::byte>)>;

/// All members of a gzip file, unpacked; `sink` sees them too. Error(corrupt) says at which byte the file is damaged.
/// Memory grows with what is really there, whatever the file claims to hold.
Buffer gzip_unpack(std::span<const std::byte> packed, const BytesSink& sink);
Buffer gzip_unpack(std::span<const std::byte> packed);

}  // namespace metaflow
