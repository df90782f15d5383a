#include "base/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace metaflow {
namespace {

/// Length of the run of ASCII at `position`, eight bytes at a time: nearly all text is ASCII.
std::size_t ascii_run(std::string_view text, std::size_t position) {
  auto end = position;
  for (; end + 8 <= text.size(); end += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + end, 8);
    if (word & 0x8080808080808080u) break;
  }
  while (end < text.size() && static_cast<unsigned char>(text[end]) < 0x80) ++end;
  return end - position;
}

struct Lead {
  int continuations;
  char32_t bits;
  unsigned char second_low, second_high;  // the second byte's range rules out overlong forms and surrogates
};

std::optional<Lead> lead_of(unsigned char c) {
  if (c < 0xc2) return std::nullopt;
  if (c < 0xe0) return Lead{1, c & 0x1fu, 0x80, 0xbf};
  if (c == 0xe0) return Lead{2, 0, 0xa0, 0xbf};
  if (c == 0xed) return Lead{2, 0x0d, 0x80, 0x9f};
  if (c < 0xf0) return Lead{2, c & 0x0fu, 0x80, 0xbf};
  if (c == 0xf0) return Lead{3, 0, 0x90, 0xbf};
  if (c < 0xf4) return Lead{3, c & 0x07u, 0x80, 0xbf};
  if (c == 0xf4) return Lead{3, 4, 0x80, 0x8f};
  return std::nullopt;
}

}  // namespace

std::optional<char32_t> decode_code_point(std::string_view text, std::size_t& position) {
  const auto first = static_cast<unsigned char>(text[position++]);
  if (first < 0x80) return first;
  const auto lead = lead_of(first);
  if (!lead) return std::nullopt;
  char32_t code = lead->bits;
  for (int i = 0; i < lead->continuations; ++i) {
    if (position == text.size()) return std::nullopt;
    const auto c = static_cast<unsigned char>(text[position]);
    const auto low = i == 0 ? lead->second_low : 0x80, high = i == 0 ? lead->second_high : 0xbf;
    if (c < low || c > high) return std::nullopt;
    code = (code << 6) | (c & 0x3fu);
    ++position;
  }
  return code;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = ascii_run(text, 0); i < text.size(); i += ascii_run(text, i)) {
    if (!decode_code_point(text, i)) return false;
  }
  return true;
}

std::string sanitized_utf8(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto run = ascii_run(text, i);
    clean.append(text, i, run);
    i += run;
    if (i == text.size()) break;
    const auto start = i;
    if (decode_code_point(text, i)) {
      clean.append(text, start, i - start);
    } else {
      clean += "\xef\xbf\xbd";
    }
  }
  return clean;
}

}  // namespace metaflow
