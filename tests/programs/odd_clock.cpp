// Preloaded into a flow program: a wall clock that, from the moment ODD_CLOCK_START on (microseconds since the epoch), runs
// backwards (ODD_CLOCK=backwards) or stands still (ODD_CLOCK=still), in all processes alike.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

constexpr std::int64_t second = 1'000'000'000;

std::int64_t odd(std::int64_t nanoseconds) {
  static const char* const start_text = std::getenv("ODD_CLOCK_START");
  static const char* const kind = std::getenv("ODD_CLOCK");
  if (start_text == nullptr || kind == nullptr) return nanoseconds;
  const std::int64_t start = std::strtoll(start_text, nullptr, 10) * 1'000;
  return std::string_view(kind) == "still" ? start : 2 * start - nanoseconds;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const auto result = ::syscall(SYS_clock_gettime, clock, time);
  if (result != 0 || clock != CLOCK_REALTIME) return static_cast<int>(result);
  const auto shown = odd(time->tv_sec * second + time->tv_nsec);
  *time = {shown / second, shown % second};
  return 0;
}
}
