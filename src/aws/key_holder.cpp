#include "aws/key_holder.hpp"

#include <algorithm>
#include <tuple>

#include <sys/stat.h>

#include <metaflow/error.hpp>

namespace metaflow::aws {
namespace {

using std::chrono::seconds;

// As botocore does.
constexpr std::int64_t early_s = 15 * 60, late_s = 10 * 60;
// A place may give the same keys until shortly before their end.
constexpr std::int64_t between_looks_s = 60;

std::int64_t seconds_of(Clock& clock) { return clock.now_microseconds() / 1'000'000; }

bool is_same(const SigningKeys& one, const SigningKeys& other) {
  return std::tie(one.key_id, one.secret, one.token) == std::tie(other.key_id, other.secret, other.token);
}

/// Differs after a file was written or replaced.
using FileState = std::tuple<ino_t, off_t, std::int64_t, std::int64_t>;
FileState state_of(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return {};
  return {status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

std::string waiting_sentence(const FoundKeys& refused) {
  return "The AWS keys from " + refused.origin + " are no longer accepted. " +
         (refused.renewal == Renewal::file ? "Put new ones into '" + refused.watched_file + "'"
                                           : "New ones are asked for there every minute") +
         "; until then nothing new starts, and jobs that run go on.";
}

}  // namespace

std::optional<FoundKeys> KeyHolder::held() const {
  const std::scoped_lock lock(mutex_);
  return found_;
}

KeyHolder::Due KeyHolder::due(std::int64_t now_s) const {
  const std::scoped_lock lock(mutex_);
  if (!found_) return Due::now;
  if (!found_->expiry_s) return Due::no;
  const auto left_s = *found_->expiry_s - now_s;
  if (left_s <= 0) return Due::now;
  if (left_s > early_s || now_s < next_look_s_) return Due::no;
  return left_s > late_s ? Due::early : Due::now;
}

FoundKeys KeyHolder::found() {
  const auto is_good = [this] { return due(seconds_of(*clock_)) == Due::no; };
  const auto first = due(seconds_of(*clock_));
  if (first == Due::no) return *held();
  std::unique_lock turn(looking_, std::defer_lock);
  if (first == Due::now)
    turn.lock();
  else if (!turn.try_lock())
    return *held();
  if (is_good()) return *held();  // another thread has looked meanwhile
  try {
    look();
  } catch (const Error&) {
    const auto old = held();
    if (!old || !old->expiry_s || *old->expiry_s <= seconds_of(*clock_)) throw;
  }
  return *held();
}

void KeyHolder::look() {
  {
    const std::scoped_lock lock(mutex_);
    next_look_s_ = seconds_of(*clock_) + between_looks_s;
  }
  auto found = find_();
  const std::scoped_lock lock(mutex_);
  found_ = std::move(found);
}

bool KeyHolder::replace(const SigningKeys& refused) {
  const std::scoped_lock turn(looking_);
  if (const auto current = held(); current && !is_same(current->keys, refused)) return true;
  try {
    look();
  } catch (const Error&) {
    return false;  // a file may be half written: what is held stays
  }
  return !is_same(held()->keys, refused);
}

bool wait_for_fresh_keys(KeyHolder& holder, const SigningKeys& refused, Clock& clock, const KeyWait& wait) {
  constexpr seconds between_polls(5), between_sentences(60);
  const auto passed = [&clock, start = clock.steady_microseconds()] {
    return std::chrono::microseconds(clock.steady_microseconds() - start);
  };
  // Not found(): keys that have ended may have no others to follow them yet, which is an error there.
  const auto held = holder.held();
  const auto old = held ? *held : holder.found();
  if (!is_same(old.keys, refused)) return true;
  // Before the first look, so that no change falls between the two.
  auto state = state_of(old.watched_file);
  if (holder.replace(refused)) return true;
  if (old.renewal == Renewal::none) return false;
  for (std::chrono::microseconds next_sentence(0); passed() < wait.limit;) {
    if (passed() >= next_sentence) {
      wait.say(waiting_sentence(old));
      next_sentence = passed() + between_sentences;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(wait.limit - passed());
    wait.sleep(std::clamp(left, std::chrono::milliseconds(1), std::chrono::milliseconds(between_polls)));
    const auto now = state_of(old.watched_file);
    if (now == state && passed() < next_sentence) continue;
    state = now;
    if (holder.replace(refused)) return true;
  }
  return false;
}

}  // namespace metaflow::aws
