#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "aws/signature.hpp"

namespace metaflow::aws {

/// How others may come in the place of keys that are no longer good.
enum class Renewal {
  none,     ///< not while this program runs
  file,     ///< when somebody writes FoundKeys::watched_file
  service,  ///< by asking the same place again
};

/// Keys, and what is known of them.
struct FoundKeys {
  SigningKeys keys;
  /// Unix time at which they end; nothing when nobody says.
  std::optional<std::int64_t> expiry_s = {};
  std::string origin = {};  ///< in words: `the environment`, `'/home/ada/.aws/credentials' line 3`
  Renewal renewal = Renewal::service;
  std::string watched_file = {};

  bool temporary() const { return !keys.token.empty() || expiry_s.has_value(); }
};

/// `temporary keys from the environment, expiry unknown`; `temporary keys from …, good until 2026-11-24 15:04:05 UTC`.
std::string description(const FoundKeys& found);

/// Seconds since the epoch of a moment as AWS writes them, `2026-11-24T15:04:05Z`, also with parts of seconds, `UTC` or `+01:00`; nothing
/// for any other text.
std::optional<std::int64_t> read_moment(std::string_view text);
/// `2026-11-24 15:04:05 UTC`
std::string moment_text(std::int64_t seconds);

}  // namespace metaflow::aws
