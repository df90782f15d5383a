#include <algorithm>

#include <fmt/format.h>
#include <metaflow/client.hpp>

#include "base/clock.hpp"
#include "cli/commands.hpp"
#include "cli/log_follower.hpp"
#include "datastore/task_store.hpp"

namespace metaflow::cli {
namespace {

using client::LogStream;
using datastore::LogSource;

/// The tasks that a path names, in the order of their ids.
std::vector<client::Task> find_tasks(const std::string& flow, const InputPath& path, const std::string& root) {
  const auto step = flow + '/' + path.run + '/' + path.step;
  const client::Options options{.folder = {}, .name_space = std::nullopt, .root = root};
  std::vector<client::Task> tasks;
  try {
    if (path.task.empty())
      tasks = client::Step(step, options).tasks();
    else
      tasks.emplace_back(step + '/' + path.task, options);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
  }
  if (tasks.empty())
    throw Error(ErrorCode::not_found,
                fmt::format("No tasks found at {}{}: there are none, or none has started yet.", step,
                            path.task.empty() ? "" : '/' + path.task),
                path.task.empty() ? "Invalid command" : "Data store error");
  std::ranges::sort(tasks, [](const auto& a, const auto& b) { return comes_before(a.id(), b.id()); });
  return tasks;
}

std::vector<LogStream> asked_streams(const Arguments& own) {
  const bool out = own.flag("stdout"), err = own.flag("stderr");
  const bool both = own.flag("both") && out == err;
  std::vector<LogStream> streams;
  if (both || out) streams.push_back(LogStream::out);
  if (both || err) streams.push_back(LogStream::err);
  return streams;
}

std::string line_text(std::optional<std::int64_t> time, std::string_view message) {
  return fmt::format("{}{}\n", time ? local_timestamp(*time) + ' ' : "", message);
}

void show_stored(const Invocation& invocation, const std::vector<client::Task>& tasks) {
  const auto& own = invocation.own;
  for (const auto& task : tasks) {
    const auto step = task.parent();
    invocation.console.echo(
        fmt::format("Dumping logs of run_id={} step={} task_id={}", step.parent().id(), step.id(), task.id()),
        Style::banner);
    for (const auto stream : asked_streams(own)) {
      invocation.console.echo(stream == LogStream::out ? "stdout" : "stderr", Style::highlight);
      for (const auto& line : task.log_lines(stream)) {
        const bool is_stamped = line.time && own.flag("timestamps");
        print(line_text(is_stamped ? std::optional(line.time->time_since_epoch().count()) : std::nullopt, line.text));
      }
    }
  }
}

/// Lines of several tasks say whose they are.
void follow(const Invocation& invocation, const std::vector<client::Task>& tasks, OpenedStores& stores,
            const std::string& records) {
  const auto& own = invocation.own;
  const auto prefix = [&](const client::Task& task) {
    if (tasks.size() == 1) return std::string();
    return fmt::format("[{}] ", task.pathspec().substr(invocation.flow_name().size() + 1));
  };
  std::vector<client::Task> attempts;
  for (const auto& task : tasks) attempts.push_back(task.at_attempt(task.current_attempt()));
  const auto show = [&](const client::Task& task, const client::StampedLine& line) {
    print(line_text(own.flag("timestamps") ? read_utc_timestamp(line.timestamp) : std::nullopt,
                    prefix(task) + std::string(line.message)));
  };
  const auto run = tasks.front().parent().parent();
  const auto record = stores.metadata().run(invocation.flow_name(), run.id());
  const auto is_executed = [&] { return record ? stores.metadata().is_held(*record) : std::nullopt; };
  if (follow_logs(stores.objects(), records, attempts, asked_streams(own), show, is_executed) ==
      FollowEnd::run_abandoned)
    invocation.console.echo(
        fmt::format("The process that executed run {} has gone without finishing it: nothing more will come.",
                    run.id()),
        Style::bad);
}

std::vector<Option> stream_options(const std::string& verb) {
  const auto flag = [](std::string name, std::string help, std::string value) {
    return Option{.name = name,
                  .kind = OptionKind::flag,
                  .help = std::move(help),
                  .default_text = std::move(value),
                  .off_name = "no-" + name};
  };
  return {flag("stdout", verb + " standard output alone.", "false"),
          flag("stderr", verb + " standard error alone.", "false"),
          flag("both", verb + " both (default).", "true"),
          {.name = "attempt",
           .kind = OptionKind::integer,
           .type = "INTEGER",
           .help = "The attempt, from 0, instead of the latest."}};
}

void describe_scrub(Command& command, const FlowProgram&) {
  command.description =
      "Replace what a task printed, or all tasks of a step, by a mark that it was removed; that a task failed stays. "
      "INPUT-PATH is run/step or run/step/task. This cannot be undone.";
  command.arguments = {{"INPUT-PATH"}};
  command.options = stream_options("Scrub");
  command.options.push_back({.name = "latest",
                             .kind = OptionKind::flag,
                             .help = "The latest attempt (default), or all.",
                             .default_text = "true",
                             .off_name = "all"});
  command.options.push_back({.name = "include-not-done",
                             .kind = OptionKind::flag,
                             .help = "Also attempts that have not ended, or died without a word."});
}

/// Attempts of a task to scrub, as far as they have ended.
std::vector<int> attempts_to_scrub(const Arguments& own, const client::Task& task) {
  std::vector<int> attempts;
  const int latest = task.current_attempt();
  if (own.given("attempt")) {
    attempts = {static_cast<int>(own.integer("attempt"))};
  } else if (own.flag("latest")) {
    attempts = {latest};
  } else {
    for (int attempt = 0; attempt <= latest; ++attempt) attempts.push_back(attempt);
  }
  std::erase_if(attempts, [&](int attempt) {
    return attempt > latest || (!own.flag("include-not-done") && !task.at_attempt(attempt).ended_at());
  });
  return attempts;
}

/// The last line of a log, if it is the scheduler's word that the attempt failed. That is not what the task printed, and
/// its status is told by it.
std::optional<client::StampedLine> mark_of_failure(const std::vector<std::string>& log) {
  const auto lines = client::merge_log_lines(log);
  if (lines.empty() || lines.back().source != "runtime" || !client::is_mark_of_failure(lines.back().message))
    return std::nullopt;
  return lines.back();
}

/// What is left of a log.
std::string scrubbed(const std::string& log, LogSource source, std::string_view stream) {
  const auto redacted = fmt::format("[REDACTED {} {}]", source == LogSource::runtime ? "runtime" : "task", stream);
  const std::vector<std::string> files = {log};
  const auto mark = mark_of_failure(files);
  if (!mark) return redacted;
  const auto head = fmt::format("[MFLOG|0|{}|{}|", mark->timestamp, mark->source);
  // Readers sort lines by their heads: this id comes before that of any other line.
  return fmt::format("{0}000000000000]{1}\n{0}{2}]{3}\n", head, redacted, mark->id, mark->message);
}

/// A mark stands in for each file that holds something.
void scrub(datastore::TaskStore& logs, const datastore::TaskPath& path, int attempt, LogStream stream) {
  const auto stored = stream == LogStream::out ? datastore::LogStream::out : datastore::LogStream::err;
  const std::string_view name = stream == LogStream::out ? "stdout" : "stderr";
  for (const auto source : {LogSource::runtime, LogSource::task}) {
    const auto log = logs.read_log(path, attempt, source, stored);
    if (!log.empty()) logs.replace_log(path, attempt, source, stored, scrubbed(log, source, name));
  }
}

int execute_scrub(Invocation& invocation) {
  const auto& own = invocation.own;
  if (own.given("attempt") && own.given("latest") && !own.flag("latest"))
    throw Error(ErrorCode::usage, "--attempt names one attempt, --all takes each: give one of them.");
  const auto roots = find_roots(invocation, false);
  OpenedStores stores(roots);
  datastore::TaskStore logs(stores.objects(), invocation.flow_name());
  bool any = false;
  for (const auto& task : find_tasks(invocation.flow_name(), parse_input_path(*own.argument(0)), roots.records)) {
    const auto path = datastore::parse_task_path(task.pathspec().substr(invocation.flow_name().size() + 1));
    for (const int attempt : attempts_to_scrub(own, task)) {
      for (const auto stream : asked_streams(own)) scrub(logs, path, attempt, stream);
      invocation.console.echo(fmt::format("Logs have been scrubbed for {} - attempt {}", path.text(), attempt));
      any = true;
    }
  }
  if (!any)
    throw Error(ErrorCode::not_found,
                "No attempt there has ended: nothing was scrubbed. --include-not-done scrubs those that have not.",
                "Invalid command");
  return 0;
}

}  // namespace

void describe_logs(Command& command, const FlowProgram&) {
  command.description =
      "Show what a task printed, while it runs too, or all tasks of a step. INPUT-PATH is run/step or run/step/task. "
      "'logs show' is the same.";
  command.arguments = {{"INPUT-PATH"}};
  command.options = stream_options("Show");
  command.options.push_back({.name = "timestamps",
                             .kind = OptionKind::flag,
                             .help = "Put the time before each line.",
                             .default_text = "false",
                             .off_name = "no-timestamps"});
  command.options.push_back({.name = "follow",
                             .kind = OptionKind::flag,
                             .help = "Go on as lines come, until the tasks that have started end."});
}

int execute_logs(Invocation& invocation) {
  const auto& own = invocation.own;
  const auto roots = find_roots(invocation, false);
  auto tasks = find_tasks(invocation.flow_name(), parse_input_path(*own.argument(0)), roots.records);
  if (own.given("attempt")) {
    const auto attempt = static_cast<int>(own.integer("attempt"));
    for (auto& task : tasks) task = task.at_attempt(attempt);
  }
  OpenedStores stores(roots);
  if (own.flag("follow"))
    follow(invocation, tasks, stores, roots.records);
  else
    show_stored(invocation, tasks);
  return 0;
}

const std::vector<FlowCommand>& log_commands() {
  static const std::vector<FlowCommand> commands = {
      {"show", "Show what tasks printed (default).", Visibility::shown, describe_logs, execute_logs},
      {"scrub", "Remove what tasks printed.", Visibility::shown, describe_scrub, execute_scrub},
  };
  return commands;
}

}  // namespace metaflow::cli
