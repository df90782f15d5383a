#include "package/tar.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include <metaflow/error.hpp>

#include <fmt/format.h>

namespace metaflow::package {
namespace {

// A member is a header of one block, and its content, filled up to whole blocks:
//
//   0 name[100]  100 mode[8]  108 uid[8]  116 gid[8]  124 size[12]  136 mtime[12]  148 checksum[8]  156 type
//   157 link[100]  257 "ustar\0" "00"  265 user[32]  297 group[32]  329 major[8]  337 minor[8]  345 prefix[155]
//
// Numbers are octal text. The path is `prefix/name`, or `name` alone. Two blocks of zeros end the archive.
constexpr std::size_t block = 512, longest_name = 100, longest_prefix = 155;
constexpr std::uint64_t largest_size = 077777777777;
// That of official packages.
constexpr std::uint64_t modified = 1575360000;

using Header = std::array<char, block>;

void put(Header& header, std::size_t at, std::string_view text) {
  std::copy(text.begin(), text.end(), header.begin() + static_cast<std::ptrdiff_t>(at));
}

/// The checksum counts its own field as blanks.
void seal(Header& header) {
  put(header, 148, "        ");
  const auto sum = std::accumulate(header.begin(), header.end(), 0U,
                                   [](unsigned total, char c) { return total + static_cast<unsigned char>(c); });
  put(header, 148, fmt::format("{:06o}", sum) + '\0');
}

/// Where to divide a path so that both parts fit; 0: it fits whole; npos: it does not fit.
std::size_t division(std::string_view path) {
  if (path.size() <= longest_name) return 0;
  const auto slash = path.find('/', path.size() - std::min(path.size(), longest_name + 1));
  return slash <= longest_prefix ? slash : path.npos;
}

/// `27 path=...\n`: its own length, in decimal digits that count too.
std::string pax_record(std::string_view key, std::string_view value) {
  const auto rest = key.size() + value.size() + 3;
  auto length = rest + std::to_string(rest).size();
  length = rest + std::to_string(length).size();
  return fmt::format("{} {}={}\n", length, key, value);
}

}  // namespace

void TarWriter::add_member(std::string_view prefix, std::string_view name, FileMode mode, char type,
                           std::span<const std::byte> content) {
  Header header{};
  put(header, 0, name.substr(0, longest_name));
  put(header, 100, fmt::format("{:07o}", static_cast<unsigned>(mode)));
  put(header, 108, "0000000");
  put(header, 116, "0000000");
  put(header, 124, fmt::format("{:011o}", content.size()));
  put(header, 136, fmt::format("{:011o}", modified));
  header[156] = type;
  put(header, 257, std::string_view("ustar\00000", 8));
  put(header, 345, prefix);
  seal(header);
  archive_.append(header.data(), header.size());
  archive_.append(reinterpret_cast<const char*>(content.data()), content.size());
  archive_.append((block - content.size() % block) % block, '\0');
}

void TarWriter::add(std::string_view path, FileMode mode, std::span<const std::byte> content) {
  if (content.size() > largest_size)
    throw Error(ErrorCode::invalid, fmt::format("'{}' is too large for a package: 8 GiB is the limit", path));
  auto slash = division(path);
  if (slash == path.npos) {
    const auto record = pax_record("path", path);
    add_member("", "pax", FileMode::plain, 'x', std::as_bytes(std::span(record)));
    slash = 0;
  }
  if (slash == 0)
    add_member("", path, mode, '0', content);
  else
    add_member(path.substr(0, slash), path.substr(slash + 1), mode, '0', content);
}

std::string TarWriter::finish() {
  archive_.append(2 * block, '\0');
  return std::move(archive_);
}

}  // namespace metaflow::package
