#include "aws/found_keys.hpp"

#include <cstdio>
#include <ctime>

namespace metaflow::aws {
namespace {

/// Takes `.123` from the front, which does not matter here.
std::string_view without_fraction(std::string_view text) {
  if (!text.starts_with('.')) return text;
  const auto end = text.find_first_not_of("0123456789", 1);
  return end == std::string_view::npos ? std::string_view() : text.substr(end);
}

/// Seconds east of Greenwich that `+01:00` or `-0130` says.
std::optional<std::int64_t> read_offset(std::string_view text) {
  if (text == "Z" || text == "UTC") return 0;
  int hours = 0, minutes = 0, used = 0;
  const std::string whole(text);
  const bool is_read = std::sscanf(whole.c_str(), "%*1[+-]%2d:%2d%n", &hours, &minutes, &used) == 2 ||
                       std::sscanf(whole.c_str(), "%*1[+-]%2d%2d%n", &hours, &minutes, &used) == 2;
  if (!is_read || static_cast<std::size_t>(used) != whole.size()) return std::nullopt;
  const std::int64_t seconds = hours * 3600 + minutes * 60;
  return whole.front() == '-' ? -seconds : seconds;
}

}  // namespace

std::optional<std::int64_t> read_moment(std::string_view text) {
  std::tm parts{};
  const std::string whole(text);
  const auto* end = ::strptime(whole.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (!end) return std::nullopt;
  const auto offset = read_offset(without_fraction(end));
  if (!offset) return std::nullopt;
  return ::timegm(&parts) - *offset;
}

std::string moment_text(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  char text[64];
  if (!::gmtime_r(&time, &parts) || std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
    return std::to_string(seconds) + " s after 1970";
  return text;
}

std::string description(const FoundKeys& found) {
  if (!found.temporary()) return "keys from " + found.origin;
  return "temporary keys from " + found.origin +
         (found.expiry_s ? ", good until " + moment_text(*found.expiry_s) : ", expiry unknown");
}

}  // namespace metaflow::aws
