#pragma once

#include <cstddef>
#include <string_view>

/// What writer and reader of our gzip files agree on beyond RFC 1952.
///
///   file         = plain-member | 2*sized-member
///   plain-member = 1f 8b 08 00, 00 00 00 00, 00 ff, deflate data, trailer
///   sized-member = 1f 8b 08 04, 00 00 00 00, 00 ff, 08 00, 'M' 'F' 04 00, size, deflate data, trailer
///   size         = length of this member from 1f to the end of its trailer, 4 bytes little-endian
///   trailer      = CRC-32 and length of the unpacked bytes, 4 bytes little-endian each
///
/// Every sized member but the last holds member_size unpacked bytes; a reader must not rely on it.
namespace metaflow::gzip_format {

using namespace std::string_view_literals;

inline constexpr std::size_t member_size = 1 << 20;
inline constexpr auto plain_header = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"sv;
inline constexpr auto sized_header_start = "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x08\x00MF\x04\x00"sv;
inline constexpr std::size_t sized_header_length = sized_header_start.size() + 4;
inline constexpr std::size_t trailer_length = 8;
/// The best that deflate can do: no member of n bytes unpacks to more than this times n.
inline constexpr std::size_t best_ratio = 1032;

}  // namespace metaflow::gzip_format
