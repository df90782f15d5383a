#include "cli/run_filter.hpp"

#include "base/clock.hpp"
#include "cli/moment.hpp"

namespace metaflow::cli {

Option status_option(std::string help) {
  return {.name = "status", .help = std::move(help), .choices = {"done", "caught", "failed", "unfinished"}};
}

Option tag_option() {
  return {.name = "tag", .kind = OptionKind::repeated, .help = "Runs with this tag alone. May be repeated: with all."};
}

Option user_option() { return {.name = "user", .help = "Runs that this user started."}; }

RunFilter::RunFilter(const Arguments& arguments)
    : status_(arguments.optional_text("status")), user_(arguments.optional_text("user")) {
  const auto& tags = arguments.list("tag");
  tags_.insert(tags.begin(), tags.end());
  const client::Time now(std::chrono::milliseconds(system_clock().now_microseconds() / 1000));
  const auto period = [&](const char* option) -> std::optional<Period> {
    const auto text = arguments.optional_text(option);
    return text ? std::optional(parse_period(*text, option, now)) : std::nullopt;
  };
  if (const auto since = period("since")) since_ = since->first;
  if (const auto until = period("until")) until_ = until->last;
  if (const auto older = period("older-than")) until_ = older->first - std::chrono::milliseconds(1);
}

/// What costs nothing to find out comes first: for the status each task may have to be looked at.
bool RunFilter::takes(const client::Run& run) const {
  if (user_ && *user_ != run.user()) return false;
  const auto started = run.created_at();
  return (!since_ || started >= *since_) && (!until_ || started <= *until_) && (!status_ || takes(run.status()));
}

}  // namespace metaflow::cli
