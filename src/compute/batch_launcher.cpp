#include "compute/batch_launcher.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/system_error.hpp"
#include "batch/outcome.hpp"

namespace metaflow::compute {
namespace {

using runtime::AttemptHandle;
using runtime::OutputStream;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int exit_code_never_retry = 202;
constexpr const char* headline = "AWS Batch error";

/// Events on their way to the scheduler's thread.
class EventQueue {
 public:
  EventQueue() : ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!ready_) throw system_error("cannot wait for jobs", errno);
  }

  int descriptor() const { return ready_.get(); }
  void push(runtime::LauncherEvent event) {
    const std::scoped_lock lock(mutex_);
    events_.push_back(std::move(event));
    const std::uint64_t one = 1;
    (void)!::write(ready_.get(), &one, sizeof one);
  }
  std::vector<runtime::LauncherEvent> take() {
    const std::scoped_lock lock(mutex_);
    std::uint64_t count = 0;
    (void)!::read(ready_.get(), &count, sizeof count);
    return std::exchange(events_, {});
  }

 private:
  FileDescriptor ready_;
  std::mutex mutex_;
  std::vector<runtime::LauncherEvent> events_;  // guarded by mutex_
};

/// An attempt, from its launch to its end; used by the thread of the launcher alone.
struct Attempt {
  AttemptHandle handle = 0;
  runtime::TaskRequest request;
  std::string job = {};     ///< empty before it is submitted
  std::string status = {};  ///< as last told
  batch::StartLines start_lines = {};
  seconds changed{0}, missing_since{0};
  milliseconds due{0};
  std::size_t log_read[2] = {0, 0};
  bool has_told_log_error = false, has_told_outcome_error = false;
};

/// What the thread does: holds the jobs, asks about them and tells what became of them.
class Jobs {
 public:
  Jobs(const model::Flow& flow, BatchOwner owner, batch::Defaults defaults, BatchParts parts, Clock& clock,
       EventQueue& events)
      : flow_(flow),
        owner_(std::move(owner)),
        defaults_(std::move(defaults)),
        parts_(std::move(parts)),
        clock_(clock),
        events_(events) {}

  void start(AttemptHandle handle, runtime::TaskRequest request) {
    Attempt attempt{.handle = handle, .request = std::move(request)};
    events_.push(runtime::Started{handle, "AWS Batch", true});
    if (is_stopping_) return fail(attempt, "The job was not submitted, as the run is ending.", 1);
    try {
      submit(attempt);
      attempt.changed = std::chrono::duration_cast<seconds>(now());
      attempt.due = now();
      attempts_.emplace(handle, std::move(attempt));
    } catch (const Error& error) {
      // What a user has to change is not tried again before that.
      fail(attempt, error.what(), error.retryable() ? 1 : exit_code_never_retry);
    } catch (const std::exception& error) {
      fail(attempt, fmt::format("Internal error: {}", error.what()), exit_code_never_retry);
    }
  }

  /// Jobs that are still to be submitted are not; may be called from any thread.
  void stop_submitting() { is_stopping_ = true; }

  void end(AttemptHandle handle) {
    if (const auto found = attempts_.find(handle); found != attempts_.end()) {
      terminate(found->second);
      attempts_.erase(found);
    }
  }

  void end_all() {
    for (auto& [handle, attempt] : attempts_) terminate(attempt);
    attempts_.clear();
  }

  /// How long nothing has to be done; nothing when there is no job.
  std::optional<milliseconds> idle() const {
    std::optional<milliseconds> due;
    for (const auto& [handle, attempt] : attempts_) due = std::min(due.value_or(attempt.due), attempt.due);
    if (due) due = std::max(*due - now(), milliseconds(0));
    return due;
  }

  /// Asks about the jobs that are due, and those that are soon: one call serves a hundred.
  void poll() {
    constexpr milliseconds soon{200};
    std::vector<Attempt*> asked;
    std::vector<std::string> ids;
    for (auto& [handle, attempt] : attempts_)
      if (attempt.due <= now() + soon) {
        asked.push_back(&attempt);
        ids.push_back(attempt.job);
      }
    if (ids.empty()) return;
    std::map<std::string, batch::Job> jobs;
    try {
      for (auto& job : service_->describe(ids)) jobs.emplace(job.id, std::move(job));
    } catch (const Error& error) {
      return postpone(asked, error);
    }
    is_silent_ = false;
    for (auto* attempt : asked) {
      const auto found = jobs.find(attempt->job);
      const bool has_ended = found == jobs.end() ? is_lost(*attempt) : follow(*attempt, found->second);
      if (has_ended) attempts_.erase(attempt->handle);
    }
  }

 private:
  milliseconds now() const { return milliseconds(clock_.steady_microseconds() / 1000); }
  seconds now_s() const { return std::chrono::duration_cast<seconds>(now()); }

  void submit(Attempt& attempt) {
    if (!service_) service_ = parts_.open_service();
    const auto& request = attempt.request;
    const auto& step = *std::ranges::find(flow_.steps, request.step, &model::Step::name);
    const auto wanted = model::step_settings(step);
    auto settings = batch::completed(*wanted.batch, defaults_, step.name);
    const auto& queue = queue_of(settings.queue);
    settings.queue = queue.name;
    auto work = parts_.prepare(request);
    work.timeout = wanted.timeout;
    const batch::TaskName task{owner_.user,  flow_.name,      request.run,   request.step,
                               request.task, request.attempt, owner_.version};
    const auto definition = definition_of(batch::job_definition(settings, queue.platform));
    attempt.job = service_->submit(batch::submission(task, settings, work, definition, defaults_));
    attempt.status = "SUBMITTED";
    if (const auto line = attempt.start_lines.next(attempt.status, now_s())) tell(attempt, *line);
  }

  struct Queue {
    std::string name;
    batch::Platform platform;
  };

  /// Asked for once: neither a queue nor the kind of its machines changes during a run.
  const Queue& queue_of(const std::string& name) {
    if (const auto found = queues_.find(name); found != queues_.end()) return found->second;
    const auto queue = find_queue(name);
    const auto environments = service_->compute_environments(queue.compute_environments);
    const bool is_fargate = std::ranges::any_of(environments, &batch::ComputeEnvironment::is_fargate);
    if (is_fargate && !std::ranges::all_of(environments, &batch::ComputeEnvironment::is_fargate))
      throw Error(
          ErrorCode::invalid,
          fmt::format("The job queue '{}' has machines of Fargate and of EC2; a job can be made for either, so use "
                      "a queue for one of them.",
                      queue.name),
          headline);
    const auto platform = is_fargate ? batch::Platform::fargate : batch::Platform::ec2;
    return queues_.emplace(name, Queue{name.empty() ? queue.arn : name, platform}).first->second;
  }

  batch::JobQueue find_queue(const std::string& name) {
    const auto wanted = name.empty() ? std::vector<std::string>() : std::vector{name};
    for (auto& queue : service_->queues(wanted))
      if (!name.empty() || (queue.state == "ENABLED" && queue.status == "VALID")) return std::move(queue);
    throw Error(
        ErrorCode::invalid,
        name.empty()
            ? std::string("No job queue is named, and the account has none that takes jobs: set "
                          "METAFLOW_BATCH_JOB_QUEUE, or make a queue.")
            : fmt::format("AWS Batch has no job queue '{}' in this region: check the name, or its region.", name),
        headline);
  }

  const std::string& definition_of(const JsonValue& definition) {
    const auto name = definition.at("jobDefinitionName").get<std::string>();
    if (const auto found = definitions_.find(name); found != definitions_.end()) return found->second;
    auto arn = service_->find_definition(name);
    return definitions_.emplace(name, arn ? *arn : service_->register_definition(definition)).first->second;
  }

  /// Whether it has ended.
  bool follow(Attempt& attempt, const batch::Job& job) {
    attempt.missing_since = seconds(0);
    if (std::exchange(attempt.status, job.status) != job.status) attempt.changed = now_s();
    attempt.due = now() + batch::poll_interval(now_s() - attempt.changed);
    if (!job.has_ended() && job.status != "RUNNING") {
      if (const auto line = attempt.start_lines.next(job.status, now_s())) tell(attempt, *line);
      return false;
    }
    show_log(attempt, OutputStream::out);
    show_log(attempt, OutputStream::err);
    return job.has_ended() && finish(attempt, job);
  }

  /// False when that cannot be told yet: what came of hours of work is not given up for a datastore that is away for a while.
  bool finish(Attempt& attempt, const batch::Job& job) {
    constexpr seconds pause{15};
    try {
      finish_with(attempt, job, parts_.outcome(attempt.request));
    } catch (const Error& error) {
      const auto sentence = fmt::format("What the task has left cannot be read: {}", error.what());
      if (!error.retryable()) {
        fail(attempt, sentence, 1);
        return true;
      }
      attempt.due = now() + pause;
      if (!std::exchange(attempt.has_told_outcome_error, true)) tell(attempt, sentence + " This is tried again.");
      return false;
    }
    return true;
  }

  void finish_with(Attempt& attempt, const batch::Job& job, std::optional<runtime::TaskOutcome> outcome) {
    const bool succeeded = job.status == "SUCCEEDED";
    if (!outcome && succeeded)
      return fail(attempt, "The job has ended well, but its task has not stored that it is done.", 1);
    if (!outcome) {
      const auto settings =
          model::step_settings(*std::ranges::find(flow_.steps, attempt.request.step, &model::Step::name));
      const auto verdict = batch::judge(job, {.memory_mb = settings.batch->memory_mb, .timeout = settings.timeout});
      return fail(attempt, verdict.sentence, verdict.again == batch::Again::useful ? 1 : exit_code_never_retry);
    }
    tell(attempt, batch::finished_line(job));
    const int code = outcome->succeeded ? 0 : 1;
    events_.push(runtime::Finished{attempt.handle, {.code = code}, std::move(outcome)});
  }

  /// Whether to give it up. A job that has just been submitted may not be known everywhere.
  bool is_lost(Attempt& attempt) {
    constexpr seconds patience{300};
    if (attempt.missing_since == seconds(0)) attempt.missing_since = now_s();
    attempt.due = now() + seconds(1);
    if (now_s() - attempt.missing_since < patience) return false;
    fail(attempt, fmt::format("AWS Batch does not know the job {} any more.", attempt.job), 1);
    return true;
  }

  /// The jobs run on, whatever keeps us from asking: that is tried until it works again.
  void postpone(const std::vector<Attempt*>& asked, const Error& error) {
    constexpr seconds pause{15};
    for (auto* attempt : asked) {
      attempt->due = now() + pause;
      if (!is_silent_) tell(*attempt, fmt::format("AWS Batch cannot be asked about the job now: {}", error.what()));
    }
    is_silent_ = true;
  }

  void terminate(Attempt& attempt) {
    try {
      service_->terminate(attempt.job, std::string(batch::our_termination));
      tell(attempt, "Job terminated.");
    } catch (const Error& error) {
      tell(attempt,
           fmt::format("The job could not be terminated: {} To do it by hand: aws batch terminate-job --job-id {} "
                       "--reason stopped",
                       error.what(), attempt.job));
    }
    end_with(attempt, "The job was terminated, as the run is ending.", {.signal = SIGKILL});
  }

  /// Shows the lines that were stored since the last time, but for one that is not complete.
  void show_log(Attempt& attempt, OutputStream stream) {
    std::string log;
    try {
      log = parts_.read_log(attempt.request, stream);
    } catch (const Error& error) {
      if (!std::exchange(attempt.has_told_log_error, true))
        tell(attempt, fmt::format("[ temporary error in fetching logs: {} ]", error.what()));
      return;
    }
    auto& read = attempt.log_read[stream == OutputStream::out ? 0 : 1];
    const auto end = log.rfind('\n');
    if (end == log.npos || end < read) return;
    std::string lines;
    for (auto begin = read; begin <= end;) {
      const auto line_end = log.find('\n', begin);
      lines += with_job(attempt.job, std::string_view(log).substr(begin, line_end - begin)) + '\n';
      begin = line_end + 1;
    }
    read = end + 1;
    events_.push(runtime::Output{attempt.handle, stream, std::move(lines), true});
  }

  /// `[MFLOG|0|…]text` becomes `[MFLOG|0|…][job] text`.
  static std::string with_job(const std::string& job, std::string_view line) {
    const auto head = line.starts_with("[MFLOG|") ? line.find(']') + 1 : 0;
    return fmt::format("{}[{}] {}", line.substr(0, head), job, line.substr(head));
  }

  void tell(const Attempt& attempt, const std::string& text) {
    const auto prefix = attempt.job.empty() ? std::string() : fmt::format("[{}] ", attempt.job);
    events_.push(runtime::Output{attempt.handle, OutputStream::err, prefix + text + '\n'});
  }

  void fail(const Attempt& attempt, const std::string& sentence, int code) {
    tell(attempt, sentence);
    end_with(attempt, sentence, {.code = code});
  }

  void end_with(const Attempt& attempt, const std::string& sentence, runtime::ExitStatus status) {
    runtime::TaskOutcome outcome;
    outcome.failure = Failure{.type = {}, .message = sentence, .stacktrace = {}, .headline = headline};
    events_.push(runtime::Finished{attempt.handle, status, std::move(outcome)});
  }

  const model::Flow& flow_;
  BatchOwner owner_;
  batch::Defaults defaults_;
  BatchParts parts_;
  Clock& clock_;
  EventQueue& events_;
  std::unique_ptr<batch::Service> service_;
  std::map<std::string, Queue> queues_;             // by the name that was asked for
  std::map<std::string, std::string> definitions_;  // ARN by name
  std::map<AttemptHandle, Attempt> attempts_;
  std::atomic<bool> is_stopping_ = false;
  bool is_silent_ = false;  // the last question had no answer, and that has been told
};

class BatchLauncher final : public runtime::Launcher {
 public:
  BatchLauncher(const model::Flow& flow, BatchOwner owner, batch::Defaults defaults, BatchParts parts, Clock& clock)
      : jobs_(flow, std::move(owner), std::move(defaults), std::move(parts), clock, events_) {}

  void launch(AttemptHandle attempt, const runtime::TaskRequest& request) override {
    give([this, attempt, request] { jobs_.start(attempt, request); });
    if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  }
  void signal(AttemptHandle attempt, int number) override {
    if (number != 0) give([this, attempt] { jobs_.end(attempt); });
  }
  void interrupt() override {
    jobs_.stop_submitting();
    give([this] { jobs_.end_all(); });
  }
  // A gang has no jobs yet.
  void let_finish(AttemptHandle) override {}
  int descriptor() const override { return events_.descriptor(); }
  std::vector<runtime::LauncherEvent> take_events() override { return events_.take(); }

 private:
  using Command = std::function<void()>;

  void give(Command command) {
    const std::scoped_lock lock(mutex_);
    commands_.push_back(std::move(command));
    changed_.notify_one();
  }

  void work(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      // One at a time, so that a thousand that start do not keep those that run from being asked about.
      if (auto command = next_command(stop)) command();
      jobs_.poll();
    }
    jobs_.end_all();
  }

  /// Waits until there is one, or jobs are due.
  Command next_command(const std::stop_token& stop) {
    constexpr milliseconds longest{60'000};
    const auto idle = jobs_.idle().value_or(longest);
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, stop, idle, [this] { return !commands_.empty(); })) return {};
    auto command = std::move(commands_.front());
    commands_.pop_front();
    return command;
  }

  EventQueue events_;
  Jobs jobs_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Command> commands_;  // guarded by mutex_
  std::jthread thread_;           // last, so that it ends before what it works with
};

}  // namespace

std::unique_ptr<runtime::Launcher> make_batch_launcher(const model::Flow& flow, BatchOwner owner,
                                                       batch::Defaults defaults, BatchParts parts, Clock& clock) {
  return std::make_unique<BatchLauncher>(flow, std::move(owner), std::move(defaults), std::move(parts), clock);
}

}  // namespace metaflow::compute
