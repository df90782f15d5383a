#include "gc/collect.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <metaflow/error.hpp>

#include "base/files.hpp"
#include "datastore/flow_lock.hpp"

namespace metaflow::gc {
namespace {

std::int64_t now_s(Clock& clock) { return clock.now_microseconds() / 1'000'000; }
std::int64_t now_ms(Clock& clock) { return clock.now_microseconds() / 1000; }

std::string damage_text(const std::string& flow, const std::string& damage) {
  return fmt::format("{}, so that nobody can say what its run needs. Nothing of {} goes, unless that run goes with it.",
                     damage, flow);
}

/// Nothing when all is well. Damage is never forced.
std::optional<std::string> refusal_of(const Request& request, const Collection& collection, Clock& clock) {
  if (const auto damage = damage_in_rest(collection.contents, collection.plan))
    return damage_text(request.flow, *damage);
  if (request.force) return std::nullopt;
  if (const auto run = possibly_running(collection.contents, now_s(clock)))
    return fmt::format(
        "{}/{} may still be running: it was started by official Metaflow, which takes no part in locks, and "
        "has not come to an end. If you know that it is not, use --force.",
        request.flow, *run);
  return std::nullopt;
}

/// Held as long as it lives.
struct Hold {
  std::optional<datastore::FlowLock> lock;
  std::optional<std::string> refusal;
};

Hold hold_alone(const Request& request) {
  Hold hold;
  try {
    hold.lock = datastore::FlowLock::take(request.root, request.flow);
    if (!hold.lock)
      hold.refusal = fmt::format("{} is running, or another 'metaflow gc' works on it. Try again when it has ended.",
                                 request.flow);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unavailable) throw;
    if (!request.force) hold.refusal = fmt::format("{}. If you know that it is not, use --force.", error.what());
  }
  return hold;
}

/// Contents of the flow once all that it needs is back from quarantine.
FlowContents read_whole(const Request& request, Quarantine& quarantine, const Progress& progress, bool& has_rescued) {
  for (;;) {
    auto contents = read_contents(request.root, request.flow, progress);
    if (!quarantine.rescue(contents)) return contents;
    has_rescued = true;
  }
}

/// Whether somebody who knows no locks has begun a run since.
bool has_new_run(const Request& request, const FlowContents& contents) {
  const auto names = list_directory(request.root + '/' + request.flow);
  return std::ranges::any_of(names, [&](const std::string& name) {
    return name != "_meta" && name != "data" && name != "latest_run" && !name.starts_with('.') &&
           std::ranges::find(contents.runs, name, &RunContents::id) == contents.runs.end();
  });
}

}  // namespace

Collection preview(const Request& request, Clock& clock, const Progress& progress) {
  Collection collection;
  collection.contents = read_contents(request.root, request.flow, progress);
  collection.plan = make_plan(collection.contents, request.chosen, now_s(clock));
  collection.refusal = refusal_of(request, collection, clock);
  return collection;
}

Collection collect(const Request& request, Clock& clock, const Progress& progress) {
  Collection collection;
  const auto hold = hold_alone(request);
  collection.refusal = hold.refusal;
  if (collection.refusal) return collection;
  Quarantine quarantine(request.root, request.flow);
  collection.contents = read_whole(request, quarantine, progress, collection.has_rescued);
  collection.plan = make_plan(collection.contents, request.chosen, now_s(clock));
  collection.refusal = refusal_of(request, collection, clock);
  if (collection.refusal) return collection;
  quarantine.purge(now_ms(clock) - quarantine_days * 86'400'000);
  quarantine.take(collection.contents, collection.plan, now_ms(clock));
  if (has_new_run(request, collection.contents)) read_whole(request, quarantine, progress, collection.has_rescued);
  return collection;
}

Collection purge(const Request& request, Clock& clock, const Progress& progress) {
  Collection collection;
  Quarantine quarantine(request.root, request.flow);
  const auto hold = hold_alone(request);
  collection.refusal = hold.refusal;
  if (collection.refusal) return collection;
  collection.contents = read_whole(request, quarantine, progress, collection.has_rescued);
  collection.refusal = refusal_of(request, collection, clock);
  if (!collection.refusal) quarantine.purge(std::numeric_limits<std::int64_t>::max());
  return collection;
}

Restoration restore(const Request& request) {
  const auto hold = hold_alone(request);
  if (hold.refusal) return {.restored = {}, .refusal = hold.refusal};
  return {.restored = Quarantine(request.root, request.flow).restore(), .refusal = std::nullopt};
}

}  // namespace metaflow::gc
