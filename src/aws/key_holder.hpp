#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "aws/credentials.hpp"
#include "aws/found_keys.hpp"
#include "base/clock.hpp"

namespace metaflow::aws {

/// The keys of this process: found when they are first wanted, and found again before they end. One thread at a time looks; the others
/// wait for it, or go on with keys that are still good.
class KeyHolder final : public Credentials {
 public:
  /// find_keys(), usually.
  using Find = std::function<FoundKeys()>;

  /// `clock` outlives it.
  KeyHolder(Find find, Clock& clock) : find_(std::move(find)), clock_(&clock) {}

  SigningKeys keys() override { return found().keys; }
  bool replace(const SigningKeys& refused) override;
  /// What keys() gives, and what is known of it.
  FoundKeys found();
  /// What was found last, good or not; nothing before the first look. Looks for nothing.
  std::optional<FoundKeys> held() const;

 private:
  /// Whether to look again: `early` may fail or be left to another thread.
  enum class Due { no, early, now };

  Due due(std::int64_t now_s) const;
  void look();

  const Find find_;
  Clock* const clock_;
  std::mutex looking_;  // held while keys are looked for
  mutable std::mutex mutex_;
  std::optional<FoundKeys> found_;  // guarded by mutex_
  std::int64_t next_look_s_ = 0;    // guarded by mutex_
};

/// How to wait for somebody to bring new keys.
struct KeyWait {
  std::chrono::seconds limit{0};
  /// Waits so long, or throws when the program is to stop.
  std::function<void(std::chrono::milliseconds)> sleep;
  /// Takes the sentence that tells the user what to do, at once and then once a minute.
  std::function<void(const std::string&)> say;
};

/// Waits until `holder` has other keys than those `refused` by a service, or that have ended: looks every five seconds whether their file was written, and once a
/// minute in any case. False after the limit, and at once for keys that cannot change while this program runs.
bool wait_for_fresh_keys(KeyHolder& holder, const SigningKeys& refused, Clock& clock, const KeyWait& wait);

}  // namespace metaflow::aws
