#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include "base/gzip.hpp"
#include "base/gzip_format.hpp"
#include "base/parallel.hpp"

namespace metaflow {
namespace {

using Spans = std::vector<std::span<const std::byte>>;

/// Below this a file takes one disk block anyway, packed or not.
constexpr std::size_t not_worth_packing = 2048;
/// A deflate block that is stored holds at most this much (RFC 1951, 3.2.4).
constexpr std::size_t stored_block_limit = 65535;
constexpr std::size_t sample_size = 4096;

std::size_t total(const Spans& spans) {
  std::size_t size = 0;
  for (const auto span : spans) size += span.size();
  return size;
}

unsigned char* bytes_of(std::span<const std::byte> span) {
  return reinterpret_cast<unsigned char*>(const_cast<std::byte*>(span.data()));
}

std::uint32_t crc_of(const Spans& spans) {
  std::uint32_t crc = 0;
  for (const auto span : spans) crc = crc32_gzip_refl(crc, bytes_of(span), span.size());
  return crc;
}

/// Deflates all of `input` into `room` bytes; nothing when it does not fit.
std::optional<std::string> deflate(const Spans& input, std::size_t room) {
  const auto stream = std::make_unique_for_overwrite<isal_zstream>();
  const auto work = std::make_unique_for_overwrite<std::uint8_t[]>(ISAL_DEF_LVL1_DEFAULT);
  isal_deflate_init(stream.get());
  stream->level = 1;
  stream->level_buf = work.get();
  stream->level_buf_size = ISAL_DEF_LVL1_DEFAULT;
  std::string packed(room, '\0');
  stream->next_out = reinterpret_cast<unsigned char*>(packed.data());
  stream->avail_out = static_cast<std::uint32_t>(room);
  for (std::size_t i = 0; i < input.size(); ++i) {
    stream->next_in = bytes_of(input[i]);
    stream->avail_in = static_cast<std::uint32_t>(input[i].size());
    stream->end_of_stream = i + 1 == input.size();
    if (isal_deflate(stream.get()) != COMP_OK || stream->avail_in > 0) return std::nullopt;
  }
  if (stream->internal_state.state != ZSTATE_END) return std::nullopt;
  packed.resize(stream->total_out);
  return packed;
}

/// Whether deflate saves enough to be worth its time, judged by three samples of the largest piece.
bool shrinks(const Spans& input) {
  const auto size = [](const auto& span) { return span.size(); };
  const auto largest = *std::ranges::max_element(input, {}, size);
  if (largest.size() < 4 * sample_size) return true;
  Spans samples;
  for (const auto start : {std::size_t{0}, largest.size() / 2, largest.size() - sample_size}) {
    samples.push_back(largest.subspan(start, sample_size));
  }
  return deflate(samples, 3 * sample_size * 85 / 100).has_value();
}

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

/// The same bytes as stored deflate blocks: five bytes of our own before each, the rest borrowed.
Pieces stored_blocks(const Spans& input) {
  Pieces blocks;
  auto left = total(input);
  if (left == 0) blocks.own(std::string("\x01\x00\x00\xff\xff", 5));
  std::size_t room = 0;
  for (auto span : input) {
    while (!span.empty()) {
      if (room == 0) {
        room = std::min(left, stored_block_limit);
        const char last = room == left;
        blocks.own(last + little_endian(room, 2) + little_endian(~room, 2));
      }
      const auto part = span.first(std::min(room, span.size()));
      blocks.borrow(part);
      span = span.subspan(part.size());
      room -= part.size();
      left -= part.size();
    }
  }
  return blocks;
}

Pieces deflated(const Spans& input) {
  const auto size = total(input);
  if (size > not_worth_packing && shrinks(input)) {
    if (auto packed = deflate(input, size)) {
      packed->shrink_to_fit();
      Pieces blocks;
      blocks.own(std::move(*packed));
      return blocks;
    }
  }
  return stored_blocks(input);
}

/// `sized` members say how long they are, so that a reader finds the next without unpacking.
Pieces make_member(const Spans& input, bool sized) {
  auto blocks = deflated(input);
  Pieces member;
  if (sized) {
    const auto size = gzip_format::sized_header_length + blocks.size() + gzip_format::trailer_length;
    member.own(std::string(gzip_format::sized_header_start) + little_endian(size, 4));
  } else {
    member.own(std::string(gzip_format::plain_header));
  }
  member.append(std::move(blocks));
  member.own(little_endian(crc_of(input), 4) + little_endian(total(input), 4));
  return member;
}

}  // namespace

GzipPacking::GzipPacking(const Pieces& bytes) : members_(1) {
  for (std::size_t i = 0; i < bytes.count(); ++i) add(bytes.piece(i));
}

void GzipPacking::add(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    auto room = gzip_format::member_size - total(members_.back().input);
    if (room == 0) {
      members_.emplace_back();
      room = gzip_format::member_size;
    }
    const auto part = bytes.first(std::min(room, bytes.size()));
    members_.back().input.push_back(part);
    bytes = bytes.subspan(part.size());
  }
}

void GzipPacking::pack(std::size_t member) {
  members_[member].packed = make_member(members_[member].input, member_count() > 1);
}

Pieces GzipPacking::take() {
  Pieces file;
  for (auto& member : members_) file.append(std::move(member.packed));
  return file;
}

Pieces gzip_pack(const Pieces& bytes) {
  GzipPacking packing(bytes);
  for_each_index(packing.member_count(), [&](std::size_t member) { packing.pack(member); });
  return packing.take();
}

}  // namespace metaflow
