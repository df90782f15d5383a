#include "network/retry.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <string>

#include <sys/random.h>

#include "base/system_error.hpp"

namespace metaflow::network {

using std::chrono::milliseconds;

Retry::Retry(RetryLimits limits, Clock& clock, Random random)
    : limits_(limits), clock_(&clock), random_(std::move(random)), start_(clock.steady_microseconds()) {}

std::optional<milliseconds> Retry::next(milliseconds asked) {
  auto ceiling = limits_.shortest;
  for (int i = 0; i < retries_ && ceiling < limits_.longest; ++i) ceiling *= 2;
  ceiling = std::min(ceiling, limits_.longest);
  const auto own = milliseconds(static_cast<std::int64_t>(random_() * static_cast<double>(ceiling.count())));
  const auto wait = std::max(own, asked);
  const auto passed = milliseconds((clock_->steady_microseconds() - start_) / 1000);
  if (passed + wait >= limits_.budget) return std::nullopt;
  ++retries_;
  return wait;
}

Retry::Random random_fractions() {
  return [] {
    std::uint32_t number = 0;
    if (getrandom(&number, sizeof number, 0) != sizeof number) throw system_error("cannot get random bytes", errno);
    return static_cast<double>(number) / 4294967296.0;
  };
}

std::optional<std::int64_t> read_http_date(std::string_view text) {
  std::tm parts{};
  const std::string whole(text);
  const auto* end = ::strptime(whole.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (!end || *end != '\0') return std::nullopt;
  return ::timegm(&parts);
}

std::optional<milliseconds> read_retry_after(std::string_view text, std::int64_t now_s) {
  constexpr std::int64_t most = 86'400;
  std::int64_t seconds = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (problem != std::errc() || end != text.data() + text.size()) {
    const auto date = read_http_date(text);
    if (!date) return std::nullopt;
    seconds = *date - now_s;
  }
  return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, most));
}

}  // namespace metaflow::network
