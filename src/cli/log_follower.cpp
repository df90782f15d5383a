#include "cli/log_follower.hpp"

#include <algorithm>
#include <chrono>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/folder_watch.hpp"
#include "cli/console.hpp"
#include "datastore/task_store.hpp"

namespace metaflow::cli {
namespace {

using client::LogStream;
using datastore::LogSource;
using std::chrono::milliseconds;

/// No file tells that a scheduler has gone.
constexpr milliseconds ask_every{1000};

/// Nor that an object elsewhere has changed.
constexpr milliseconds look_every{5000};

/// A task says that it is done before it ends, and its scheduler stores what it printed last after that.
constexpr milliseconds longest_delay_here{1000}, longest_delay_elsewhere{5000};

/// A stored text that grows, read line by line.
class GrowingFile {
 public:
  GrowingFile(const storage::ObjectStore& objects, std::string key, bool is_here)
      : objects_(&objects), key_(std::move(key)), is_here_(is_here) {}

  /// The whole lines that were added since the last call.
  std::string take() {
    auto text = is_here_ ? read_text_from(objects_->root() + '/' + key_, offset_) : read_object();
    text.resize(text.rfind('\n') + 1);  // without one, rfind + 1 is 0
    offset_ += text.size();
    return text;
  }

 private:
  std::string read_object() const {
    const auto bytes = objects_->get(key_);
    return bytes && bytes->size() > offset_ ? std::string(bytes->text().substr(offset_)) : std::string();
  }

  const storage::ObjectStore* objects_;
  std::string key_;
  bool is_here_;
  std::uint64_t offset_ = 0;
};

class Follower {
 public:
  /// `is_here` when the objects are files of this machine.
  Follower(storage::ObjectStore& objects, client::Task attempt, const std::vector<LogStream>& streams, bool is_here)
      : attempt_(std::move(attempt)),
        errors_(objects, log_key(objects, LogSource::runtime, LogStream::err), is_here),
        longest_delay_(is_here ? longest_delay_here : longest_delay_elsewhere) {
    for (const auto stream : streams)
      for (const auto source : {LogSource::runtime, LogSource::task})
        files_.emplace_back(objects, log_key(objects, source, stream), is_here);
  }

  void show_news(const ShowLine& show) {
    std::vector<std::string> news;
    for (auto& file : files_) news.push_back(file.take());
    for (const auto& line : client::merge_log_lines(news)) show(attempt_, line);
  }

  /// How much longer lines may come: none for an attempt that has ended for good, nothing for one that has not ended.
  std::optional<milliseconds> time_left() {
    const std::vector<std::string> errors = {errors_.take()};
    const auto lines = client::merge_log_lines(errors);
    if (!lines.empty()) is_given_up_ = client::is_mark_of_failure(lines.back().message);
    if (is_given_up_) return milliseconds(0);
    const auto ended = attempt_.ended_at();
    if (!ended) return std::nullopt;
    const milliseconds now(system_clock().now_microseconds() / 1000);
    return std::clamp(longest_delay_ - (now - ended->time_since_epoch()), milliseconds(0), longest_delay_);
  }

 private:
  std::string log_key(storage::ObjectStore& objects, LogSource source, LogStream stream) const {
    const auto flow = attempt_.parent().parent().parent().id();
    const auto stored = stream == LogStream::out ? datastore::LogStream::out : datastore::LogStream::err;
    const auto path = datastore::parse_task_path(attempt_.pathspec().substr(flow.size() + 1));
    return datastore::TaskStore(objects, flow).log_key(path, attempt_.current_attempt(), source, stored);
  }

  client::Task attempt_;
  std::vector<GrowingFile> files_;
  GrowingFile errors_;
  milliseconds longest_delay_;
  bool is_given_up_ = false;
};

}  // namespace

FollowEnd follow_logs(storage::ObjectStore& objects, const std::string& records,
                      const std::vector<client::Task>& attempts, const std::vector<LogStream>& streams,
                      const ShowLine& show, const IsExecuted& is_executed) {
  FolderWatch watch;
  std::vector<Follower> followers;
  const bool is_here = objects.root() == records;
  for (const auto& attempt : attempts) {
    const auto folder = records + '/' + attempt.pathspec();
    if (is_here) watch.add(folder);
    watch.add(folder + "/_meta");
    followers.emplace_back(objects, attempt, streams, is_here);
  }
  while (true) {
    bool all_ended = true;
    milliseconds wait_for(0);
    const auto executed = is_executed();
    // Asked before the lines are read: what comes in between is shown, too.
    std::erase_if(followers, [&](Follower& follower) {
      const auto left = follower.time_left();
      follower.show_news(show);
      all_ended = all_ended && left;
      wait_for = std::max(wait_for, left.value_or(milliseconds(0)));
      return left == milliseconds(0);
    });
    flush_output();
    if (followers.empty()) return FollowEnd::attempts_ended;
    if (executed == false) return all_ended ? FollowEnd::attempts_ended : FollowEnd::run_abandoned;
    if (all_ended)
      watch.wait(wait_for);
    else if (is_here)
      watch.wait(executed ? std::optional(ask_every) : std::nullopt);
    else
      watch.wait(look_every);
  }
}

}  // namespace metaflow::cli
