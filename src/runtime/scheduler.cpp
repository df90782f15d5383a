#include "runtime/scheduler.hpp"

#include <metaflow/error.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/failures.hpp"
#include "runtime/input_paths.hpp"

namespace metaflow::runtime {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t grace_period_us = 5 * second_us;
// A killed process ends at once, unless the kernel holds it in a sleep that nothing interrupts.
constexpr std::int64_t death_us = 5 * second_us;
constexpr int most_fallbacks = 3;
constexpr std::int64_t progress_interval_us = 300 * second_us;
constexpr std::int64_t status_interval_us = second_us / 10;
constexpr std::size_t wide = 20;  // tasks from which a status line is worth its place
constexpr int exit_code_never_retry = 202;
constexpr std::string_view killed_notice = "[KILLED BY ORCHESTRATOR]";

std::size_t index_of(OutputStream stream) { return stream == OutputStream::out ? 0 : 1; }

/// Says what the task itself could not say.
std::string death_text(const ExitStatus& status) {
  if (status.signal != 0)
    return fmt::format("The process of this task was ended by signal {} ({}).", status.signal,
                       ::strsignal(status.signal));
  return fmt::format("The process of this task exited with code {} before the step was complete.", status.code);
}

std::string cause(const Finished& event) {
  if (!event.outcome) return death_text(event.status);
  return event.outcome->failure ? summary(*event.outcome->failure) : "It said that it had failed, and not why.";
}

}  // namespace

Scheduler::Scheduler(const FlowProgram& program, const metadata::RunRecord& run, const RunOptions& options,
                     datastore::TaskStore& logs, Launcher& launcher, Clock& clock, RunLog& run_log, Beginning beginning)
    : program_(program),
      run_(run),
      options_(options),
      logs_(logs),
      launcher_(launcher),
      clock_(clock),
      run_log_(run_log),
      plan_(std::move(beginning.plan)),
      counts_(program.flow.steps.size()),
      next_task_(beginning.next_task),
      last_created_ms_(std::max(run.created_ms, beginning.last_created_ms)),
      origin_run_id_(std::move(beginning.origin_run_id)),
      started_us_(clock.steady_microseconds()),
      next_progress_us_(started_us_ + progress_interval_us) {
  for (const auto& step : program.flow.steps) settings_.push_back(model::step_settings(step));
  for (std::size_t i = 0; i < beginning.done.size(); ++i) counts_[i].done = beginning.done[i];
}

std::string Scheduler::pathspec(const FinishedTask& task) const {
  const auto* name = task.step == Plan::parameters_step ? "_parameters" : program_.flow.steps[task.step].name.c_str();
  return fmt::format("{}/{}/{}", run_.run, name, node_task_id(std::to_string(task.task), task.node));
}

bool Scheduler::has_slot() const noexcept {
  return !stopping_ && !slots_exhausted_ && crowded_out_.empty() &&
         slots_taken_ < static_cast<std::size_t>(options_.max_workers);
}

void Scheduler::launch_ready() {
  if (!stopping_ && !crowded_out_.empty() && running_.empty()) {
    auto gang = std::move(crowded_out_.front());
    crowded_out_.pop_front();
    slots_exhausted_ = false;
    start(std::move(gang.planned), std::move(gang.request));
  }
  while (has_slot() && !waiting_.empty() && waiting_.begin()->first <= steady()) {
    auto task = std::move(waiting_.extract(waiting_.begin()).mapped());
    start(std::move(task.planned), std::move(task.request));
  }
  while (has_slot() && plan_.ready_count() > 0) launch(plan_.take());
}

void Scheduler::launch(PlannedTask planned) {
  auto request = make_request(planned);
  start(std::move(planned), std::move(request));
}

TaskRequest Scheduler::make_request(const PlannedTask& planned) {
  std::vector<std::string> inputs;
  for (const auto& input : planned.inputs) inputs.push_back(pathspec(input));
  last_created_ms_ = std::max(now() / 1000, last_created_ms_ + 1);
  TaskRequest request{.step = program_.flow.steps[planned.step].name,
                      .run = run_.run,
                      .task = std::to_string(next_task_++),
                      .max_user_code_retries = settings_[planned.step].retries,
                      .input_paths = encode_input_paths(inputs),
                      .created_ms = last_created_ms_,
                      .origin_run_id = origin_run_id_,
                      .name_space = options_.name_space,
                      .tags = {options_.tags.begin(), options_.tags.end()}};
  // The records of its other nodes get the times after it.
  if (planned.enters == Enters::gang) last_created_ms_ += static_cast<std::int64_t>(planned.branching->ends.size()) - 1;
  if (planned.enters == Enters::foreach) {
    request.split_index = static_cast<std::int64_t>(planned.branch);
    request.split_value = planned.branching->values[planned.branch];
    request.split_count = static_cast<std::int64_t>(planned.branching->values.size());
  }
  return request;
}

void Scheduler::start(PlannedTask planned, TaskRequest request) {
  if (planned.enters == Enters::gang)
    start_gang(std::make_shared<Gang>(std::move(planned), std::move(request)));
  else
    start_attempt(std::move(planned), std::move(request));
}

void Scheduler::start_gang(const std::shared_ptr<Gang>& gang) {
  for (std::size_t node = 0; node < gang->size(); ++node)
    if (!start_attempt(gang->planned(node), gang->request(node), gang)) return;
  go_on(*gang);
}

/// False when there is no room for it beside what runs.
bool Scheduler::start_attempt(PlannedTask planned, TaskRequest request, const std::shared_ptr<Gang>& gang) {
  const auto handle = ++last_attempt_;
  const auto [entry, added] =
      running_.emplace(handle, Running{handle,
                                       std::move(planned),
                                       std::move(request),
                                       gang,
                                       {},
                                       {},
                                       {StoredLog(options_.max_log_bytes), StoredLog(options_.max_log_bytes)}});
  auto& task = entry->second;
  task.head = fmt::format("{}/{}/{}", task.request.run, task.request.step, task.request.task);
  try {
    launcher_.launch(handle, task.request);
  } catch (const Error& error) {
    auto refused = std::move(task);
    running_.erase(entry);
    if (error.code() != ErrorCode::exhausted) throw;
    refuse(std::move(refused), error.what());
    return false;
  }
  ++counts_[task.planned.step].running;
  if (task.takes_slot()) ++slots_taken_;
  if (gang) gang->started(task.planned.branch, handle);
  return true;
}

/// It waits for another task to end. The nodes of a gang may wait for each other, so that all of it is undone, and waits
/// until nothing else runs. When nothing does, there is nothing to wait for.
void Scheduler::refuse(Running refused, const std::string& why) {
  const auto& gang = refused.gang;
  const bool has_others =
      std::ranges::any_of(running_, [&](const auto& entry) { return !gang || entry.second.gang != gang; });
  slots_exhausted_ = has_others;
  FailedAttempt failed{.task = refused.request.task,
                       .why = refused.request.failure ? summary(*refused.request.failure) : why,
                       .was_killed = gang && gang->failure(),
                       .lacks_room = has_others && !stopping_ && !(gang && refused.request.failure)};
  if (!failed.lacks_room && !failed.was_killed) {
    own_line(refused, OutputStream::err, why, Tone::bad);
    own_line(refused, OutputStream::err, "Task failed.", Tone::bad);
    end_logs(refused);
  }
  if (gang) return fail_node(*gang, refused.planned.branch, std::move(failed));
  Waiting waiting{std::move(refused.planned), std::move(refused.request), std::move(failed)};
  if (waiting.before.lacks_room)
    waiting_.emplace(steady(), std::move(waiting));
  else
    retry_or_stop(std::move(waiting));
}

void Scheduler::take(const LauncherEvent& event) {
  const auto handle = std::visit([](const auto& any) { return any.attempt; }, event);
  const auto entry = running_.find(handle);
  if (entry == running_.end()) return;
  if (const auto* started = std::get_if<Started>(&event)) on_started(entry->second, *started);
  if (const auto* output = std::get_if<Output>(&event)) on_output(entry->second, *output);
  if (const auto* finished = std::get_if<Finished>(&event)) on_finished(entry, *finished);
  if (const auto* refused = std::get_if<Refused>(&event)) on_refused(entry, *refused);
}

void Scheduler::on_started(Running& task, const Started& event) {
  task.head += fmt::format(" ({})", event.label);
  if (task.request.failure || task.killed) return;  // the attempt has been announced, or comes to nothing
  const bool is_fallback = task.request.is_fallback();
  const auto* text = task.request.attempt == 0 ? "Task is starting."
                     : is_fallback             ? "Task fallback is starting to handle the failure."
                                               : "Task is starting (retry).";
  run_log_.task_line(now(), task.head, text, Tone::system);
  // Official leaves control tasks without a limit, too: such a task ends with the nodes that it serves.
  const bool is_limited = !is_fallback && !task.request.is_control() && !event.keeps_limit;
  if (const auto& limit = settings_[task.planned.step].timeout; limit && is_limited)
    set_due(task, steady() + std::chrono::microseconds(*limit + options_.timeout_grace).count());
}

void Scheduler::on_output(Running& task, const Output& event) {
  task.lines[index_of(event.stream)].add(
      event.bytes, [&](std::string_view line) { show_line(task, event.stream, line, event.is_stored); });
}

void Scheduler::show_line(Running& task, OutputStream stream, std::string_view line, bool is_stored) {
  const auto stamp = stamper_.next(now());
  const auto unmarked = line.starts_with("[!") ? line.substr(2) : line;
  if (const auto structured = parse_structured_line(unmarked))
    run_log_.task_line(structured->microseconds, task.head, structured->message);
  else
    run_log_.task_line(stamp.microseconds, task.head, line);
  if (is_stored) return;
  task.stored[index_of(stream)].add_task_line(line, stamp);
  if (!std::exchange(task.has_news, true)) with_news_.push_back(task.handle);
}

/// A line of the scheduler's own about a task: shown, and stored with the task's.
void Scheduler::own_line(Running& task, OutputStream stream, std::string_view text, Tone tone) {
  const auto stamp = stamper_.next(now());
  run_log_.task_line(stamp.microseconds, task.head, text, tone);
  task.stored[index_of(stream)].add_own_line(text, stamp);
}

void Scheduler::on_finished(Entry entry, const Finished& event) {
  auto& task = entry->second;
  for (const auto stream : {OutputStream::out, OutputStream::err})
    task.lines[index_of(stream)].finish([&](std::string_view line) { show_line(task, stream, line); });
  slots_exhausted_ = false;
  // The outcome is sent after all is stored: what the process did afterwards does not undo it.
  const bool succeeded = event.outcome && event.outcome->succeeded;
  auto ended = take_out(entry);
  const bool is_lost = stopping_ || (ended.gang && ended.gang->failure());
  if (succeeded)
    succeed(ended, *event.outcome);
  else if (ended.timed_out && !event.outcome && !is_lost)
    store_timeout(ended);
  else
    fail(ended, event);
}

/// It is not among those that run any more.
Scheduler::Running Scheduler::take_out(Entry entry) {
  auto& task = entry->second;
  --counts_[task.planned.step].running;
  if (task.takes_slot()) --slots_taken_;
  set_due(task, 0);
  auto taken = std::move(task);
  running_.erase(entry);
  return taken;
}

void Scheduler::on_refused(Entry entry, const Refused& event) { refuse(take_out(entry), event.reason); }

/// The process that ran out of time cannot store how its attempt ended: another one does, and fails in its place.
void Scheduler::store_timeout(Running& task) {
  end_logs(task);
  task.request.failure = timeout_failure(task.request.step, *settings_[task.planned.step].timeout);
  start_attempt(std::move(task.planned), std::move(task.request), task.gang);
}

void Scheduler::succeed(Running& task, const TaskOutcome& outcome) {
  const auto splits = outcome.foreach_values.size();
  if (splits > 0)
    run_log_.task_line(now(), task.head, fmt::format("Foreach yields {} child steps.", splits), Tone::system);
  run_log_.task_line(now(), task.head, "Task finished successfully.", Tone::system);
  end_logs(task);
  if (!task.gang) return finish(task.planned, task.request, outcome);
  task.gang->succeeded(task.planned.branch, outcome);
  go_on(*task.gang);
}

void Scheduler::finish(const PlannedTask& planned, const TaskRequest& request, const TaskOutcome& outcome) {
  ++counts_[planned.step].done;
  if (stopping_) return;
  const auto splits = outcome.foreach_values.size();
  try {
    if (splits > static_cast<std::size_t>(options_.max_num_splits))
      return stop({RunEnd::Kind::failed,
                   fmt::format("Step {} (task-id {}) failed: The foreach in step {} yields {} child steps, but {} are "
                               "allowed. Raise the limit with --max-num-splits.",
                               request.step, request.task, request.step, splits, options_.max_num_splits)});
    plan_.finish(planned, std::stoull(request.task), outcome);
  } catch (const Error& error) {
    stop({RunEnd::Kind::failed, error.what(), true});
  }
}

void Scheduler::fail(Running& task, const Finished& event) {
  const auto& status = event.status;
  const bool crashed = status.signal == SIGSEGV;
  if (!event.outcome && !crashed && !task.killed) own_line(task, OutputStream::err, death_text(status), Tone::bad);
  own_line(task, OutputStream::err, crashed ? "Task failed with a segmentation fault." : "Task failed.", Tone::bad);
  end_logs(task);
  FailedAttempt failed{.task = task.request.task,
                       .why = cause(event),
                       .was_killed = task.killed,
                       .may_retry = status.code != exit_code_never_retry};
  if (task.gang)
    fail_node(*task.gang, task.planned.branch, std::move(failed));
  else
    retry_or_stop({std::move(task.planned), std::move(task.request), std::move(failed)});
}

/// The others cannot do without it.
void Scheduler::fail_node(Gang& gang, std::size_t node, FailedAttempt failed) {
  const bool is_first = !gang.failure();
  const auto text = fmt::format("Task {} of this gang has {}; so this one is killed.", failed.task,
                                failed.lacks_room ? "found no room beside other tasks" : "failed");
  gang.failed(node, std::move(failed));
  if (is_first)
    for (const auto handle : gang.running()) {
      auto& other = running_.at(handle);
      own_line(other, OutputStream::err, text, Tone::bad);
      kill(other);
    }
  go_on(gang);
}

/// What follows from the last news of a gang.
void Scheduler::go_on(Gang& gang) {
  if (const auto control = gang.last_one()) return launcher_.let_finish(*control);
  if (!gang.is_over()) return;
  if (const auto& failure = gang.failure()) {
    Waiting next{gang.planned(), gang.control(), *failure};
    return failure->lacks_room && !stopping_ ? wait_for_all(std::move(next)) : retry_or_stop(std::move(next));
  }
  for (std::size_t node = 0; node < gang.size(); ++node) finish(gang.planned(node), gang.control(), gang.outcome(node));
}

void Scheduler::wait_for_all(Waiting gang) {
  const auto& request = gang.request;
  run_log_.task_line(now(), fmt::format("{}/{}/{}", request.run, request.step, request.task),
                     fmt::format("The gang waits until nothing else runs: {}", gang.before.why), Tone::system);
  crowded_out_.push_back(std::move(gang));
}

void Scheduler::retry_or_stop(Waiting failed) {
  const bool retry_allowed = !stopping_ && failed.before.may_retry;
  if (retry_allowed && may_try_again(failed)) return try_again(std::move(failed));
  if (!retry_allowed) run_log_.run_line(now(), "This failed task will not be retried.", Tone::bad);
  // What was killed as the run had failed has no cause of its own.
  if (!failed.before.was_killed && !failed.before.lacks_room) add_failure(failed);
  if (!stopping_)
    stop({RunEnd::Kind::failed, fmt::format("Step {} (task-id {}) failed.", failed.request.step, failed.before.task)});
}

/// After the attempts of the body there are some more for `@catch`, which run nothing of the step's own.
bool Scheduler::may_try_again(const Waiting& failed) const {
  const auto& settings = settings_[failed.planned.step];
  const int last = settings.retries + (settings.caught ? most_fallbacks : 0);
  return failed.request.attempt < std::min(last, datastore::max_attempts - 1);
}

void Scheduler::add_failure(const Waiting& failed) {
  const auto& request = failed.request;
  auto pathspec = fmt::format("{}/{}/{}", request.run, request.step, failed.before.task);
  const bool has_log = !cut_logs_.contains(pathspec);
  failures_.push_back({std::move(pathspec), failed.before.why, has_log});
}

void Scheduler::try_again(Waiting failed) {
  auto& request = failed.request;
  ++request.attempt;
  request.failure.reset();
  const auto delay = settings_[failed.planned.step].retry_delay;
  if (!options_.retry_delay || delay.count() == 0 || request.is_fallback())
    return start(std::move(failed.planned), std::move(request));
  run_log_.task_line(now(), fmt::format("{}/{}/{}", request.run, request.step, request.task),
                     fmt::format("Task will be retried in {}.", duration_text(delay)), Tone::system);
  waiting_.emplace(steady() + std::chrono::microseconds(delay).count(), std::move(failed));
}

void Scheduler::set_due(Running& task, std::int64_t microseconds) {
  due_.erase({task.due_us, task.handle});
  task.due_us = microseconds;
  if (microseconds != 0) due_.emplace(microseconds, task.handle);
}

void Scheduler::come_due(Entry entry) {
  auto& task = entry->second;
  if (!task.killed) {
    task.timed_out = true;
    return kill(task);
  }
  own_line(task, OutputStream::err, "The process of this task was killed but does not end; it is left to itself.",
           Tone::bad);
  on_finished(entry, {task.handle, {.signal = SIGKILL}, std::nullopt});
}

/// Its descendants die with it: the launcher sees to that.
void Scheduler::kill(Running& task) {
  launcher_.signal(task.handle, SIGKILL);
  if (!std::exchange(task.killed, true)) set_due(task, steady() + death_us);
}

void Scheduler::store_logs(Running& task) {
  const datastore::TaskPath path{task.request.run, task.request.step, task.request.task};
  for (const auto stream : {OutputStream::out, OutputStream::err}) {
    const auto lines = task.stored[index_of(stream)].take();
    if (lines.empty()) continue;
    try {
      logs_.append_log(path, task.request.attempt, datastore::LogSource::runtime,
                       stream == OutputStream::out ? datastore::LogStream::out : datastore::LogStream::err, lines);
    } catch (const Error& error) {
      lose_log(path.text(), error);
    }
  }
}

/// Of an attempt that is over.
void Scheduler::end_logs(Running& task) {
  store_logs(task);
  const datastore::TaskPath path{task.request.run, task.request.step, task.request.task};
  for (const auto stream : {datastore::LogStream::out, datastore::LogStream::err})
    logs_.settle_log(path, task.request.attempt, datastore::LogSource::runtime, stream);
}

/// What the tasks printed is shown all the same, and a full disk fails them soon enough.
void Scheduler::lose_log(const std::string& pathspec, const Error& error) {
  if (error.code() != ErrorCode::exhausted && error.code() != ErrorCode::denied) throw;
  if (cut_logs_.empty())
    run_log_.run_line(now(), fmt::format("What is printed cannot be stored: {}", error.what()), Tone::bad);
  cut_logs_.insert(pathspec);
}

void Scheduler::end_turn() {
  for (const auto handle : with_news_) {
    const auto entry = running_.find(handle);
    if (entry == running_.end()) continue;
    entry->second.has_news = false;
    store_logs(entry->second);
  }
  with_news_.clear();
  if (run_log_.on_terminal()) run_log_.set_status(status_line());
}

void Scheduler::interrupt(int signal_number) {
  if (stopping_) return kill_rest();
  run_log_.run_line(now(),
                    "Workflow interrupted. Please wait while the tasks end; pressing Ctrl-C again kills them at once.",
                    Tone::bad);
  stopping_ = true;
  end_ = {RunEnd::Kind::interrupted, {}};
  announce_termination();
  // A terminal sends SIGINT to the tasks itself; nobody sends them the others.
  if (signal_number == SIGINT)
    launcher_.interrupt();
  else
    for (const auto& [handle, task] : running_) launcher_.signal(handle, SIGTERM);
}

void Scheduler::stop(RunEnd end) {
  stopping_ = true;
  end_ = std::move(end);
  run_log_.run_line(now(), options_.is_spin() ? "Task failed." : "Workflow failed.", Tone::bad);
  announce_termination();
}

void Scheduler::announce_termination() {
  if (!options_.is_spin())
    run_log_.run_line(now(), fmt::format("Terminating {} active tasks...", running_.size()), Tone::bad);
  for (auto& [handle, task] : running_)
    for (const auto stream : {OutputStream::out, OutputStream::err}) own_line(task, stream, killed_notice, Tone::bad);
  for (auto& [handle, task] : running_) store_logs(task);
  for (const auto& [time, task] : waiting_)
    if (!task.before.lacks_room) add_failure(task);
  waiting_.clear();
  crowded_out_.clear();
  grace_ends_us_ = steady() + grace_period_us;
}

void Scheduler::kill_rest() {
  if (!grace_over_ && !running_.empty())
    run_log_.run_line(now(),
                      fmt::format("Killing {} remaining tasks after having waited for {} seconds -- some tasks may not "
                                  "exit cleanly",
                                  running_.size(), (steady() - (grace_ends_us_ - grace_period_us)) / second_us),
                      Tone::bad);
  flush_notice();
  for (auto& [handle, task] : running_) kill(task);
}

void Scheduler::flush_notice() {
  if (!std::exchange(grace_over_, true) && !options_.is_spin()) run_log_.run_line(now(), "Flushing logs...", Tone::bad);
}

void Scheduler::on_time() {
  while (!due_.empty() && due_.begin()->first <= steady()) come_due(running_.find(due_.begin()->second));
  if (stopping_ && !grace_over_ && steady() >= grace_ends_us_) kill_rest();
  if (steady() < next_progress_us_) return;
  next_progress_us_ += progress_interval_us;
  if (!stopping_) show_progress();
}

std::int64_t Scheduler::next_deadline() const noexcept {
  auto next = next_progress_us_;
  if (stopping_)
    next = grace_over_ ? std::numeric_limits<std::int64_t>::max() : grace_ends_us_;
  else if (run_log_.on_terminal())
    next = std::min(next, steady() + status_interval_us);
  if (!due_.empty()) next = std::min(next, due_.begin()->first);
  if (has_slot() && !waiting_.empty()) next = std::min(next, waiting_.begin()->first);
  return next;
}

RunEnd Scheduler::end() {
  run_log_.set_status({});
  if (stopping_)
    flush_notice();
  else
    run_log_.run_line(now(), options_.is_spin() ? "Task finished successfully." : "Done!", Tone::system);
  end_.failures = failures_;
  return end_;
}

void Scheduler::show_progress() {
  std::vector<std::string> running, waiting;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const auto& [active, done] = counts_[i];
    const auto& name = program_.flow.steps[i].name;
    if (active > 0) running.push_back(fmt::format("{} ({} running; {} done)", name, active, done));
    if (active == 0 && done == 0) waiting.push_back(name);
  }
  const auto verb = running_.empty()       ? std::string("No tasks are running.")
                    : running_.size() == 1 ? std::string("1 task is running: ")
                                           : fmt::format("{} tasks are running: ", running_.size());
  run_log_.run_line(now(), verb + (running.empty() ? "" : fmt::format("{}.", fmt::join(running, ", "))), Tone::system);
  const auto ready = plan_.ready_count();
  run_log_.run_line(now(),
                    ready == 0   ? std::string("No tasks are waiting in the queue.")
                    : ready == 1 ? std::string("1 task is waiting in the queue.")
                                 : fmt::format("{} tasks are waiting in the queue.", ready),
                    Tone::system);
  if (waiting.empty()) return;
  run_log_.run_line(now(),
                    fmt::format("{} {} not started: {}.", waiting.size(),
                                waiting.size() == 1 ? "step has" : "steps have", fmt::join(waiting, ", ")),
                    Tone::system);
}

std::string Scheduler::status_line() const {
  std::uint64_t done = 0;
  for (const auto& count : counts_) done += count.done;
  const auto queued = plan_.ready_count();
  if (done + queued + running_.size() < wide || stopping_) return {};
  const auto seconds = static_cast<double>(std::max<std::int64_t>(steady() - started_us_, 1)) / second_us;
  const auto rate = static_cast<double>(done) / seconds;
  const auto left = rate > 0 ? static_cast<double>(queued + running_.size()) / rate : 0;
  return fmt::format("{} running, {} done, {} queued; {:.0f} tasks/s, about {:.0f} s left", running_.size(), done,
                     queued, rate, left);
}

}  // namespace metaflow::runtime
