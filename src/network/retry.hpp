#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/clock.hpp"

namespace metaflow::network {

struct RetryLimits {
  std::chrono::milliseconds shortest{100}, longest{20'000};
  /// All attempts and waits of one operation together.
  std::chrono::milliseconds budget{300'000};
};

/// When to try once more: after a random part of a wait that doubles from `shortest` to `longest` ("full jitter", which keeps many clients
/// from coming back at the same moment), as long as the budget lasts. One for each operation, made when it begins.
class Retry {
 public:
  /// From 0 to below 1, evenly.
  using Random = std::function<double()>;

  /// `clock` outlives it.
  Retry(RetryLimits limits, Clock& clock, Random random);

  /// How long to wait before the next attempt; at least `asked`, what the server asks for. Nothing when the budget does not
  /// last till then.
  std::optional<std::chrono::milliseconds> next(std::chrono::milliseconds asked = {});
  /// How often next() was answered.
  int retries() const { return retries_; }

 private:
  RetryLimits limits_;
  Clock* clock_;
  Random random_;
  std::int64_t start_;
  int retries_ = 0;
};

/// Its random numbers come from the kernel.
Retry::Random random_fractions();

/// What a Retry-After header asks for: seconds, or a date, which `now_s` (Unix time) is taken from. Nothing when it is neither.
std::optional<std::chrono::milliseconds> read_retry_after(std::string_view text, std::int64_t now_s);
/// The Unix time of a date in the form `Tue, 24 Nov 2026 15:04:05 GMT`; nothing for any other text.
std::optional<std::int64_t> read_http_date(std::string_view text);

}  // namespace metaflow::network
