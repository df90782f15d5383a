#include "runtime/input_paths.hpp"

#include <metaflow/error.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>

#include <isa-l/igzip_lib.h>

#include "base/base64.hpp"

namespace metaflow::runtime {
namespace {

constexpr std::size_t longest_plain = 500;
// A join of ten million tasks needs less; a few packed bytes may claim to be far more.
constexpr std::size_t longest_unpacked = std::size_t{256} << 20;
constexpr std::size_t largest_list = std::size_t{1} << 30;

[[noreturn]] void refuse(std::string_view text) {
  throw Error(ErrorCode::usage, "Input paths '" + std::string(text.substr(0, 60)) +
                                    "' are not a list of run/step/task as one task hands it to the next.");
}

std::string deflate(std::string_view plain) {
  isal_zstream stream;
  isal_deflate_init(&stream);
  stream.gzip_flag = IGZIP_ZLIB;
  stream.end_of_stream = 1;
  stream.flush = NO_FLUSH;
  std::string packed(plain.size() + plain.size() / 8 + 512, '\0');
  stream.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<std::uint32_t>(plain.size());
  stream.next_out = reinterpret_cast<std::uint8_t*>(packed.data());
  stream.avail_out = static_cast<std::uint32_t>(packed.size());
  if (isal_deflate_stateless(&stream) != COMP_OK) throw Error(ErrorCode::internal, "cannot pack input paths");
  packed.resize(stream.total_out);
  return packed;
}

/// Nothing when `packed` is damaged.
std::optional<std::string> inflate(std::string_view packed) {
  inflate_state state;
  isal_inflate_init(&state);
  state.crc_flag = ISAL_ZLIB;
  state.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(packed.data()));
  state.avail_in = static_cast<std::uint32_t>(packed.size());
  std::string plain;
  while (state.block_state != ISAL_BLOCK_FINISH) {
    const auto before = plain.size();
    if (before >= longest_unpacked) return std::nullopt;
    plain.resize(before + std::max<std::size_t>(65'536, before));
    state.next_out = reinterpret_cast<std::uint8_t*>(plain.data() + before);
    state.avail_out = static_cast<std::uint32_t>(plain.size() - before);
    if (isal_inflate(&state) != ISAL_DECOMP_OK) return std::nullopt;
    const auto made = plain.size() - before - state.avail_out;
    plain.resize(before + made);
    if (made == 0 && state.block_state != ISAL_BLOCK_FINISH) return std::nullopt;
  }
  return plain;
}

std::string common_prefix(std::span<const std::string> paths) {
  std::string prefix = paths.front();
  for (const auto& path : paths) {
    const auto end = std::mismatch(prefix.begin(), prefix.end(), path.begin(), path.end()).first;
    prefix.erase(end, prefix.end());
  }
  return prefix;
}

/// Nothing when the paths would fill the memory.
std::optional<std::vector<std::string>> split_plain(std::string_view plain) {
  std::string_view prefix;
  if (const auto colon = plain.find(':'); colon != plain.npos) {
    prefix = plain.substr(0, colon);
    plain.remove_prefix(colon + 1);
  }
  const auto count = static_cast<std::size_t>(std::count(plain.begin(), plain.end(), ',')) + 1;
  if (count > largest_list / (prefix.size() + sizeof(std::string))) return std::nullopt;
  std::vector<std::string> paths;
  paths.reserve(count);
  while (true) {
    const auto comma = plain.find(',');
    paths.push_back(std::string(prefix).append(plain.substr(0, comma)));
    if (comma == plain.npos) return paths;
    plain.remove_prefix(comma + 1);
  }
}

}  // namespace

std::string encode_input_paths(std::span<const std::string> paths) {
  if (paths.empty()) return {};
  std::string plain;
  const auto prefix = paths.size() > 1 ? common_prefix(paths) : std::string();
  if (!prefix.empty()) plain = prefix + ':';
  for (std::size_t i = 0; i < paths.size(); ++i) plain.append(i == 0 ? "" : ",").append(paths[i], prefix.size());
  if (plain.size() <= longest_plain) return plain;
  return '!' + encode_base64(deflate(deflate(plain)));
}

std::vector<std::string> decode_input_paths(std::string_view text) {
  if (text.empty()) return {};
  std::optional<std::string> plain(text);
  if (text.front() == '!') {
    plain = decode_base64(text.substr(1));
    for (int i = 0; i < 2 && plain; ++i) plain = inflate(*plain);
  }
  auto paths = plain ? split_plain(*plain) : std::nullopt;
  if (!paths) refuse(text);
  return std::move(*paths);
}

}  // namespace metaflow::runtime
