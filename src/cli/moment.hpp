#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <metaflow/client.hpp>

/// Points in time and spans of it, as people type and read them.
namespace metaflow::cli {

/// The part of a day, or the span, that a text names: first and last millisecond.
struct Period {
  client::Time first, last;
};

/// `2026-11-23`, `2026-11-23 14:10`, `2026-11-23T14:10:41` in local time; or `30m`, `2h`, `3d`, `1w` before `now`. Error(usage) that
/// names `option` for anything else.
Period parse_period(std::string_view text, std::string_view option, client::Time now);

/// `2026-11-23 14:10:41` in local time; empty for nothing.
std::string moment_text(std::optional<client::Time> time);
/// `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`; empty unless both ends are known.
std::string span_text(client::Time from, std::optional<client::Time> to);

}  // namespace metaflow::cli
