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

/// A task says that it is done before it ends, and its scheduler stores what it printed last after that.
constexpr milliseconds longest_delay{1000};

std::string task_folder(const storage::ObjectStore& objects, const client::Task& task) {
  return objects.root() + '/' + task.pathspec();
}

/// A file that grows, read line by line.
class GrowingFile {
 public:
  explicit GrowingFile(std::string path) : path_(std::move(path)) {}

  /// The whole lines that were added since the last call.
  std::string take() {
    auto text = read_text_from(path_, offset_);
    text.resize(text.rfind('\n') + 1);  // without one, rfind + 1 is 0
    offset_ += text.size();
    return text;
  }

 private:
  std::string path_;
  std::uint64_t offset_ = 0;
};

class Follower {
 public:
  Follower(storage::ObjectStore& objects, client::Task attempt, const std::vector<LogStream>& streams)
      : attempt_(std::move(attempt)), errors_(log_file(objects, LogSource::runtime, LogStream::err)) {
    for (const auto stream : streams)
      for (const auto source : {LogSource::runtime, LogSource::task})
        files_.emplace_back(log_file(objects, source, stream));
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
    return std::clamp(longest_delay - (now - ended->time_since_epoch()), milliseconds(0), longest_delay);
  }

 private:
  std::string log_file(storage::ObjectStore& objects, LogSource source, LogStream stream) const {
    const auto flow = attempt_.parent().parent().parent().id();
    const datastore::TaskStore tasks(objects, flow);
    const auto stored = stream == LogStream::out ? datastore::LogStream::out : datastore::LogStream::err;
    const auto path = datastore::parse_task_path(attempt_.pathspec().substr(flow.size() + 1));
    return objects.root() + '/' + tasks.log_key(path, attempt_.current_attempt(), source, stored);
  }

  client::Task attempt_;
  std::vector<GrowingFile> files_;
  GrowingFile errors_;
  bool is_given_up_ = false;
};

}  // namespace

FollowEnd follow_logs(storage::ObjectStore& objects, const std::vector<client::Task>& attempts,
                      const std::vector<LogStream>& streams, const ShowLine& show, const IsExecuted& is_executed) {
  FolderWatch watch;
  std::vector<Follower> followers;
  for (const auto& attempt : attempts) {
    watch.add(task_folder(objects, attempt));
    watch.add(task_folder(objects, attempt) + "/_meta");
    followers.emplace_back(objects, attempt, streams);
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
    else
      watch.wait(executed ? std::optional(ask_every) : std::nullopt);
  }
}

}  // namespace metaflow::cli
