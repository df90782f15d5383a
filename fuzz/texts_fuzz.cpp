// What people type beside commands and options: each text is understood or Error, and what was understood holds together.
#include "base/json.hpp"
#include "cli/flow_file.hpp"
#include "cli/invocation.hpp"
#include "cli/moment.hpp"
#include "cli/records.hpp"
#include "cli/suggestion.hpp"
#include "cli/tutorials.hpp"
#include "datastore/artifacts.hpp"
#include "fuzz.hpp"

#include <metaflow/parameter.hpp>
#include <metaflow/pickle.hpp>

namespace mf = metaflow;
using namespace mf::cli;
using enum mf::ErrorCode;

namespace {

// Where clocks are turned back, one text names two moments.
const int utc = ::setenv("TZ", "UTC", 1);

void check_period(std::string_view text) {
  const mf::client::Time now(std::chrono::milliseconds(1'795'000'000'123));
  const auto read = [&](std::string_view typed) { return parse_period(typed, "since", now); };
  const auto period = fuzz::accepted({usage}, [&] { return read(text); });
  if (!period) return;
  fuzz::require(period->first <= period->last);
  span_text(period->first, now);
  const bool is_age = period->first == period->last;
  const auto shown = moment_text(period->first);
  // Before the year 1000 the text has fewer digits than it would need to be read again.
  if (!is_age && shown[4] == '-' && shown[7] == '-') fuzz::require(read(shown).first == period->first);
}

void check_parameters(std::string_view text) {
  constexpr auto highest = std::numeric_limits<std::int64_t>::max(), lowest = std::numeric_limits<std::int64_t>::min();
  const auto read = [](auto parse) { return fuzz::accepted({usage}, parse); };
  if (const auto number = read([&] { return mf::detail::parse_integer("n", text, lowest, highest); }))
    fuzz::require(mf::detail::parse_integer("n", std::to_string(*number), lowest, highest) == *number);
  if (const auto number = read([&] { return mf::detail::parse_unsigned("n", text, highest); }))
    fuzz::require(*number <= static_cast<std::uint64_t>(highest));
  read([&] { return mf::detail::parse_real("x", text); });
  read([&] { return mf::detail::parse_boolean("b", text); });
  if (const auto value = read([&] { return mf::detail::parse_json_value("j", text); })) mf::pickle::encode(*value);
  read([&] { return mf::datastore::reuse_included_file(text).type; });

  std::string joined;
  for (const auto item : mf::detail::split_list(text, ",")) joined.append(item).append(",");
  fuzz::require(joined.substr(0, joined.size() - (joined.empty() ? 0 : 1)) == text);
}

void check_paths(std::string_view text) {
  if (const auto parts = fuzz::accepted({usage}, [&] { return parse_record_path(text, 5); }))
    for (const auto& part : *parts) fuzz::require(!part.empty() && part != ".." && part.find('/') == part.npos);
  if (const auto path = fuzz::accepted({invalid}, [&] { return parse_input_path(std::string(text)); }))
    fuzz::require(text == path->run + '/' + path->step + (path->task.empty() ? "" : '/' + path->task));
  const std::vector<std::string> known = {"start", "join", "end"};
  did_you_mean(text, known);
}

void check_files(std::string_view text) {
  for (const auto& path : parse_dependencies(text)) fuzz::require(!path.empty() && path.size() <= text.size());
  const auto episode = parse_episode(text);
  fuzz::require(episode.title.size() <= text.size() && episode.synopsis.size() <= text.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  check_period(text);
  check_parameters(text);
  check_paths(text);
  check_files(text);
  return 0;
}
