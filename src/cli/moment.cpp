#include "cli/moment.hpp"

#include <charconv>
#include <ctime>

#include <fmt/format.h>

#include "base/clock.hpp"

namespace metaflow::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// `2h`: a number and one of m, h, d, w.
std::optional<milliseconds> parse_age(std::string_view text) {
  constexpr std::string_view units = "mhdw";
  constexpr std::int64_t minutes_of[] = {1, 60, 24 * 60, 7 * 24 * 60};
  constexpr std::int64_t longest = 10'000'000;
  std::int64_t count = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (problem != std::errc() || end + 1 != text.data() + text.size() || count < 0 || count > longest)
    return std::nullopt;
  const auto unit = units.find(*end);
  if (unit == units.npos) return std::nullopt;
  return milliseconds(minutes(count * minutes_of[unit]));
}

client::Time local_time(std::tm time) {
  time.tm_isdst = -1;
  return client::Time(seconds(std::mktime(&time)));
}

/// The first moment of the date or time that `format` describes, and the moment after its last.
std::optional<Period> parse_as(const std::string& text, const char* format, milliseconds length) {
  std::tm time{};
  const char* end = ::strptime(text.c_str(), format, &time);
  if (end == nullptr || *end != '\0') return std::nullopt;
  const auto first = local_time(time);
  return Period{first, first + length - milliseconds(1)};
}

}  // namespace

Period parse_period(std::string_view text, std::string_view option, client::Time now) {
  if (const auto age = parse_age(text)) return {now - *age, now - *age};
  const std::string copy(text);
  for (const auto* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"})
    if (const auto second = parse_as(copy, format, seconds(1))) return *second;
  for (const auto* format : {"%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"})
    if (const auto minute = parse_as(copy, format, minutes(1))) return *minute;
  if (const auto day = parse_as(copy, "%Y-%m-%d", std::chrono::hours(24))) return *day;
  throw Error(
      ErrorCode::usage,
      fmt::format("Invalid value for '--{}': '{}' is neither a time like 2026-11-23 or '2026-11-23 14:10' nor an "
                  "age like 30m, 2h, 3d or 1w",
                  option, text));
}

std::string moment_text(std::optional<client::Time> time) {
  if (!time) return "";
  constexpr std::size_t without_milliseconds = 19;
  return local_timestamp(time->time_since_epoch().count() * 1000).substr(0, without_milliseconds);
}

std::string span_text(client::Time from, std::optional<client::Time> to) {
  if (!to) return "";
  const auto milliseconds = std::max<std::int64_t>((*to - from).count(), 0);
  const auto whole = milliseconds / 1000;
  if (whole < 10) return fmt::format("{:.1f} s", static_cast<double>(milliseconds) / 1000);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 86'400) return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {} h", whole / 86'400, whole % 86'400 / 3600);
}

}  // namespace metaflow::cli
