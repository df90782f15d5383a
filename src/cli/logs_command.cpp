#include <charconv>
#include <ctime>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "cli/commands.hpp"
#include "client/task_log.hpp"
#include "datastore/task_store.hpp"

namespace metaflow::cli {
namespace {

using datastore::LogSource;
using datastore::LogStream;

/// Microseconds since the epoch of `2026-11-23T14:10:41.790713Z`; nothing for any other text.
std::optional<std::int64_t> read_timestamp(std::string_view text) {
  std::tm time{};
  const std::string copy(text);
  const char* rest = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  if (rest == nullptr || *rest != '.') return std::nullopt;
  std::int64_t microseconds = 0;
  const auto [end, problem] = std::from_chars(rest + 1, copy.c_str() + copy.size(), microseconds);
  if (problem != std::errc() || end != rest + 7) return std::nullopt;
  return static_cast<std::int64_t>(::timegm(&time)) * 1'000'000 + microseconds;
}

std::vector<datastore::TaskPath> find_tasks(const metadata::Metadata& metadata, const std::string& flow,
                                            const InputPath& path) {
  std::vector<std::string> ids;
  if (path.task.empty())
    for (const auto& task : metadata.tasks(flow, path.run, path.step)) ids.push_back(task.task);
  else if (metadata.task(flow, path.run, path.step, path.task))
    ids.push_back(path.task);
  if (ids.empty())
    throw Error(ErrorCode::not_found,
                fmt::format("No tasks found at {}/{}/{}{}: there are none, or none has started yet.", flow, path.run,
                            path.step, path.task.empty() ? "" : '/' + path.task),
                "Invalid command");
  sort_task_ids(ids);
  std::vector<datastore::TaskPath> tasks;
  for (auto& id : ids) tasks.push_back({path.run, path.step, std::move(id)});
  return tasks;
}

void print_stream(const datastore::TaskStore& tasks, const datastore::TaskPath& task, int attempt, LogStream stream,
                  bool timestamps) {
  const std::vector<std::string> files = {tasks.read_log(task, attempt, LogSource::runtime, stream),
                                          tasks.read_log(task, attempt, LogSource::task, stream)};
  for (const auto& line : client::merge_log_lines(files)) {
    const auto time = timestamps ? read_timestamp(line.timestamp) : std::nullopt;
    print(fmt::format("{}{}\n", time ? local_timestamp(*time) + ' ' : "", line.message));
  }
}

/// `logs show PATH` is `logs PATH`: the word before the path may be left out.
std::string input_path(const Arguments& own) {
  const auto first = own.argument(0).value(), second = own.argument(1).value_or("");
  if (first == "show" && second.empty()) throw Error(ErrorCode::usage, "Missing argument 'INPUT-PATH'.");
  if (first != "show" && !second.empty())
    throw Error(ErrorCode::usage, fmt::format("Got unexpected extra argument ({})", second));
  return second.empty() ? first : second;
}

}  // namespace

void describe_logs(Command& command, const model::Flow&) {
  command.description =
      "Show what a task printed, while it runs too, or all tasks of a step. INPUT-PATH is run/step or run/step/task.";
  command.arguments = {{"INPUT-PATH"}, {"", false}};
  const auto flag = [](std::string name, std::string help, std::string value) {
    return Option{.name = name,
                  .kind = OptionKind::flag,
                  .help = std::move(help),
                  .default_text = std::move(value),
                  .off_name = "no-" + name};
  };
  command.options = {
      flag("stdout", "Show standard output alone.", "false"),
      flag("stderr", "Show standard error alone.", "false"),
      flag("both", "Show both (default).", "true"),
      flag("timestamps", "Put the time before each line.", "false"),
      {.name = "attempt",
       .kind = OptionKind::integer,
       .type = "INTEGER",
       .help = "The attempt, from 0, instead of the latest."},
  };
}

int execute_logs(Invocation& invocation) {
  const auto& own = invocation.own;
  const auto path = parse_input_path(input_path(own));
  const bool out = own.flag("stdout"), err = own.flag("stderr");
  const bool both = own.flag("both") && out == err;
  LocalStores stores(find_datastore_root(invocation, false));
  const datastore::TaskStore tasks(stores.objects(), invocation.flow_name());
  for (const auto& task : find_tasks(stores.metadata(), invocation.flow_name(), path)) {
    invocation.console.echo(fmt::format("Dumping logs of run_id={} step={} task_id={}", task.run, task.step, task.task),
                            Style::banner);
    const int attempt =
        own.given("attempt") ? static_cast<int>(own.integer("attempt")) : tasks.latest_attempt(task).value_or(0);
    const auto show = [&](std::string_view heading, LogStream stream) {
      invocation.console.echo(heading, Style::highlight);
      print_stream(tasks, task, attempt, stream, own.flag("timestamps"));
    };
    if (both || out) show("stdout", LogStream::out);
    if (both || err) show("stderr", LogStream::err);
  }
  return 0;
}

}  // namespace metaflow::cli
