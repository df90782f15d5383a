#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include <metaflow/error.hpp>

#include "base/gzip.hpp"
#include "base/gzip_format.hpp"
#include "base/parallel.hpp"

namespace metaflow {
namespace {

using Bytes = std::span<const std::byte>;

Error damaged(std::size_t offset, const char* what) {
  return Error(ErrorCode::corrupt, "gzip data is damaged near byte " + std::to_string(offset) + ": " + what);
}

std::uint32_t number_at(Bytes bytes, std::size_t offset) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number |= std::to_integer<std::uint32_t>(bytes[offset + i]) << (8 * i);
  return number;
}

unsigned char* data_of(Bytes bytes) { return reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data())); }

struct Member {
  Bytes packed;            ///< with header and trailer
  std::size_t offset = 0;  ///< of its unpacked bytes in the whole
  std::size_t size = 0;    ///< unpacked
};

/// The sized member at the start of `bytes`; nothing if there is another kind or it claims the impossible.
std::optional<Member> sized_member(Bytes bytes) {
  constexpr auto smallest = gzip_format::sized_header_length + gzip_format::trailer_length;
  const auto start = gzip_format::sized_header_start;
  if (bytes.size() < smallest || std::memcmp(bytes.data(), start.data(), start.size()) != 0) return std::nullopt;
  const auto length = number_at(bytes, start.size());
  if (length < smallest || length > bytes.size()) return std::nullopt;
  const auto size = number_at(bytes, length - 4);
  if (size > length * gzip_format::best_ratio) return std::nullopt;
  return Member{.packed = bytes.first(length), .size = size};
}

/// All members, if the file consists of sized ones.
std::optional<std::vector<Member>> sized_members(Bytes packed) {
  std::vector<Member> members;
  std::size_t offset = 0;
  while (!packed.empty()) {
    auto member = sized_member(packed);
    if (!member) return std::nullopt;
    member->offset = offset;
    offset += member->size;
    packed = packed.subspan(member->packed.size());
    members.push_back(*member);
  }
  if (members.empty()) return std::nullopt;
  return members;
}

void unpack_member(const Member& member, std::byte* to, std::size_t position) {
  const auto state = std::make_unique_for_overwrite<inflate_state>();
  isal_inflate_init(state.get());
  const auto body = member.packed.subspan(gzip_format::sized_header_length);
  state->next_in = data_of(body);
  state->avail_in = static_cast<std::uint32_t>(body.size() - gzip_format::trailer_length);
  state->next_out = reinterpret_cast<unsigned char*>(to);
  state->avail_out = static_cast<std::uint32_t>(member.size);
  const auto result = isal_inflate_stateless(state.get());
  const bool complete = result == ISAL_DECOMP_OK && state->avail_out == 0 && state->avail_in == 0;
  if (!complete) throw damaged(position, "a block does not unpack");
  const auto crc = number_at(member.packed, member.packed.size() - gzip_format::trailer_length);
  if (crc32_gzip_refl(0, reinterpret_cast<unsigned char*>(to), member.size) != crc) {
    throw damaged(position, "its checksum is wrong");
  }
}

Buffer unpack_in_parallel(Bytes packed, const std::vector<Member>& members, const BytesSink& sink) {
  Buffer bytes(members.back().offset + members.back().size);
  const auto part = [&](std::size_t i) { return bytes.span().subspan(members[i].offset, members[i].size); };
  produce_in_order(
      members.size(),
      [&](std::size_t i) {
        unpack_member(members[i], part(i).data(), static_cast<std::size_t>(members[i].packed.data() - packed.data()));
      },
      [&](std::size_t i) { sink(part(i)); });
  return bytes;
}

/// Bytes that become more: room doubles, so that copying stays linear.
class GrowingBuffer {
 public:
  explicit GrowingBuffer(std::size_t room) : bytes_(room) {}

  /// Free room, at least one byte and at most `limit`.
  std::span<std::byte> room(std::size_t limit) {
    if (used_ == bytes_.size()) {
      Buffer larger(std::max<std::size_t>(2 * used_, 4096));
      if (used_ > 0) std::memcpy(larger.data(), bytes_.data(), used_);
      bytes_ = std::move(larger);
    }
    return bytes_.span().subspan(used_, std::min(limit, bytes_.size() - used_));
  }
  void add(std::size_t count) { used_ += count; }
  Buffer take() {
    bytes_.truncate(used_);
    return std::move(bytes_);
  }

 private:
  Buffer bytes_;
  std::size_t used_ = 0;
};

/// Any gzip file, one member after the other.
class StreamUnpacker {
 public:
  StreamUnpacker(Bytes packed, const BytesSink& sink)
      : packed_(packed),
        sink_(sink),
        output_(first_guess(packed)),
        state_(std::make_unique_for_overwrite<inflate_state>()) {}

  Buffer unpack() {
    do {
      unpack_member();
    } while (next_member());
    return output_.take();
  }

 private:
  static constexpr std::size_t step = 1 << 20;

  /// The trailer of a single member tells its length; believed as far as that costs little.
  static std::size_t first_guess(Bytes packed) {
    if (packed.size() < 18) return 0;
    return std::min<std::size_t>(number_at(packed, packed.size() - 4) + std::size_t{1}, 64 * packed.size());
  }

  void unpack_member() {
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;
    while (state_->block_state != ISAL_BLOCK_FINISH) {
      const auto input = packed_.subspan(position_, std::min(step, packed_.size() - position_));
      const auto room = output_.room(step);
      state_->next_in = data_of(input);
      state_->avail_in = static_cast<std::uint32_t>(input.size());
      state_->next_out = reinterpret_cast<unsigned char*>(room.data());
      state_->avail_out = static_cast<std::uint32_t>(room.size());
      if (isal_inflate(state_.get()) != ISAL_DECOMP_OK) throw damaged(position_, "it does not unpack");
      const auto read = input.size() - state_->avail_in, made = room.size() - state_->avail_out;
      position_ += read;
      output_.add(made);
      if (made > 0) sink_(room.first(made));
      if (read == 0 && made == 0 && state_->block_state != ISAL_BLOCK_FINISH) {
        throw damaged(packed_.size(), "it ends too early");
      }
    }
  }

  /// Zeros may follow the last member, as tapes and Python's gzip have it.
  bool next_member() {
    const auto rest = packed_.subspan(position_);
    if (std::ranges::all_of(rest, [](std::byte byte) { return byte == std::byte{0}; })) return false;
    if (rest.size() < 2 || rest[0] != std::byte{0x1f} || rest[1] != std::byte{0x8b}) {
      throw damaged(position_, "something else follows");
    }
    return true;
  }

  Bytes packed_;
  const BytesSink& sink_;
  GrowingBuffer output_;
  std::unique_ptr<inflate_state> state_;
  std::size_t position_ = 0;
};

}  // namespace

Buffer gzip_unpack(Bytes packed, const BytesSink& sink) {
  if (const auto members = sized_members(packed)) return unpack_in_parallel(packed, *members, sink);
  return StreamUnpacker(packed, sink).unpack();
}

Buffer gzip_unpack(Bytes packed) {
  return gzip_unpack(packed, [](Bytes) {});
}

}  // namespace metaflow
