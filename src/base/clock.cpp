#include "base/clock.hpp"

#include <chrono>
#include <cstdio>
#include <ctime>

namespace metaflow {
namespace {

class SystemClock final : public Clock {
 public:
  std::int64_t now_microseconds() override { return read(CLOCK_REALTIME); }
  std::int64_t steady_microseconds() override { return read(CLOCK_MONOTONIC); }

 private:
  static std::int64_t read(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000;
  }
};

/// Whole seconds and the rest, the rest never negative.
std::pair<std::time_t, int> split_seconds(std::int64_t microseconds) {
  auto seconds = microseconds / 1'000'000;
  auto rest = static_cast<int>(microseconds % 1'000'000);
  if (rest < 0) {
    rest += 1'000'000;
    --seconds;
  }
  return {static_cast<std::time_t>(seconds), rest};
}

std::string format_time(const std::tm& time, const char* format) {
  char text[64];
  return {text, std::strftime(text, sizeof text, format, &time)};
}

std::string padded(int value, int digits) {
  char text[16];
  return {text, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%0*d", digits, value))};
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

std::string local_timestamp(std::int64_t microseconds) {
  const auto [seconds, rest] = split_seconds(microseconds);
  std::tm time{};
  localtime_r(&seconds, &time);
  return format_time(time, "%Y-%m-%d %H:%M:%S.") + padded(rest / 1000, 3);
}

std::string utc_timestamp(std::int64_t microseconds) {
  const auto [seconds, rest] = split_seconds(microseconds);
  std::tm time{};
  gmtime_r(&seconds, &time);
  return format_time(time, "%Y-%m-%dT%H:%M:%S.") + padded(rest, 6) + "Z";
}

std::optional<std::int64_t> read_utc_timestamp(std::string_view text) {
  constexpr std::string_view form = "0000-00-00T00:00:00.000000Z";
  if (text.size() != form.size()) return std::nullopt;
  for (std::size_t i = 0; i < form.size(); ++i)
    if (form[i] == '0' ? !is_digit(text[i]) : text[i] != form[i]) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t digits) {
    int value = 0;
    for (const char c : text.substr(at, digits)) value = 10 * value + (c - '0');
    return value;
  };
  const std::chrono::year_month_day day(std::chrono::year(number(0, 4)),
                                        std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(8, 2))));
  const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (!day.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const auto seconds = std::chrono::sys_days(day).time_since_epoch() + std::chrono::hours(hour) +
                       std::chrono::minutes(minute) + std::chrono::seconds(second);
  return std::chrono::microseconds(seconds).count() + number(20, 6);
}

}  // namespace metaflow
