#include "cli/task_process.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "compute/folder_guard.hpp"
#include "runtime/step_command.hpp"

namespace metaflow::cli {
namespace {

std::string input_paths(const Arguments& own) {
  if (!own.given("input-paths-filename")) return own.text("input-paths");
  const auto file = own.text("input-paths-filename");
  auto text = read_text_file(file);
  if (!text)
    throw Error(ErrorCode::usage, fmt::format("Invalid value for '--input-paths-filename': no file '{}'", file));
  text->erase(text->find_last_not_of(" \n") + 1);
  return *text;
}

void require_step(const model::Flow& flow, const std::string& name) {
  const auto found =
      std::any_of(flow.steps.begin(), flow.steps.end(), [&](const auto& step) { return step.name == name; });
  if (!found)
    throw Error(ErrorCode::not_found, fmt::format("{} has no step '{}'.", flow.name, name), "Invalid command");
}

}  // namespace

void add_task_options(Command& command) {
  const auto number = [](std::string name, std::string help, std::optional<std::string> value = "0") {
    return Option{.name = std::move(name),
                  .kind = OptionKind::integer,
                  .type = "INTEGER",
                  .help = std::move(help),
                  .default_text = std::move(value)};
  };
  command.arguments = {{"STEP"}};
  command.options = {
      {.name = "run-id", .help = "The run this task belongs to.", .required = true},
      {.name = "task-id", .help = "The task to be executed.", .required = true},
      {.name = "input-paths", .help = "The tasks before this one: run/step/task, separated by commas."},
      {.name = "input-paths-filename", .type = "PATH", .help = "A file that holds them instead."},
      number("split-index", "Position in the foreach that starts here.", std::nullopt),
      number("retry-count", "The attempt."),
      number("max-user-code-retries", "Attempts that may follow the first."),
      {.name = "namespace", .help = "What the client sees inside the task."},
  };
}

runtime::TaskRequest task_request(const Invocation& invocation) {
  const auto& own = invocation.own;
  runtime::TaskRequest request{
      .step = own.argument(0).value_or(""),
      .run = own.text("run-id"),
      .task = own.text("task-id"),
      .attempt = static_cast<int>(own.integer("retry-count")),
      .max_user_code_retries = static_cast<int>(own.integer("max-user-code-retries")),
      .input_paths = input_paths(own),
      .name_space = own.optional_text("namespace").value_or(metadata::current_identity().name_space()),
  };
  if (own.given("split-index")) request.split_index = own.integer("split-index");
  runtime::import_from_environment(request, system_clock().now_microseconds() / 1000);
  require_step(invocation.program.flow, request.step);
  return request;
}

int run_task(const Invocation& invocation, runtime::TaskRequest request, int control_descriptor,
             const compute::ExecuteTask& execute) {
  // Typed by hand, nobody else would remove it if this process were killed.
  std::optional<compute::FolderGuard> folder;
  if (control_descriptor < 0) request.temporary_folder = folder.emplace().path();
  invocation.console.echo(
      fmt::format("Executing step {} as task {}/{}/{}", request.step, request.run, request.step, request.task));
  const int code =
      compute::run_task_process(execute, request, control_descriptor, invocation.program.binding.leave_process);
  if (code == 0) invocation.console.echo("    Success", Style::good);
  return code;
}

}  // namespace metaflow::cli
