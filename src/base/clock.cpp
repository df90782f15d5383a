#include "base/clock.hpp"

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

}  // namespace metaflow
