#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "cli/commands.hpp"
#include "compute/folder_guard.hpp"
#include "compute/launchers.hpp"
#include "runtime/step_command.hpp"
#include "runtime/task_attempt.hpp"

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

/// What belongs to a node of a gang, and only there.
void read_gang(const Arguments& own, runtime::TaskRequest& request) {
  const auto context = own.text("ubf-context");
  const auto nodes = own.integer("num-parallel");
  if (context == "none" && nodes == 0) return;
  const bool is_control = context == "ubf_control";
  if (is_control && !request.split_index) request.split_index = 0;
  const auto node = request.split_index.value_or(-1);
  if (context == "none" || node < 0 || node >= nodes || nodes > model::max_parallel || is_control != (node == 0))
    throw Error(ErrorCode::usage,
                "A node of a gang needs --ubf-context, --num-parallel and --split-index together: ubf_control is node "
                "0, ubf_task any other below --num-parallel.");
  request.num_parallel = nodes;
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
      .origin_run_id = own.optional_text("clone-run-id"),
      .name_space = own.optional_text("namespace").value_or(metadata::current_identity().name_space()),
      .tags = own.list("tag"),
  };
  if (own.given("split-index")) request.split_index = own.integer("split-index");
  read_gang(own, request);
  runtime::import_from_environment(request, system_clock().now_microseconds() / 1000);
  return request;
}

void require_step(const model::Flow& flow, const std::string& name) {
  const auto found =
      std::any_of(flow.steps.begin(), flow.steps.end(), [&](const auto& step) { return step.name == name; });
  if (!found)
    throw Error(ErrorCode::not_found, fmt::format("{} has no step '{}'.", flow.name, name), "Invalid command");
}

}  // namespace

void describe_step(Command& command, const FlowProgram&) {
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
      {.name = "tag", .kind = OptionKind::repeated, .help = "A tag of the run. May be repeated.", .variable = "TAGS"},
      {.name = "namespace", .help = "What the client sees inside the task."},
      {.name = "clone-run-id", .help = "The run that this one resumes."},
      {.name = "ubf-context",
       .help = "What the task is in its gang: ubf_control is node 0, ubf_task any other.",
       .default_text = "none",
       .choices = {"none", "ubf_control", "ubf_task"}},
      number("num-parallel", "Nodes of the gang; the task is the one of number --split-index."),
  };
}

int execute_step(Invocation& invocation) {
  // Taken at once, so that nothing started from here inherits it.
  const int control = compute::inherited_control_descriptor();
  const auto& program = invocation.program;
  auto request = task_request(invocation);
  // Typed by hand, nobody else would remove it if this process were killed.
  std::optional<compute::FolderGuard> folder;
  if (control < 0) request.temporary_folder = folder.emplace().path();
  require_step(program.flow, request.step);
  const auto root = find_datastore_root(invocation, true);
  invocation.console.echo(
      fmt::format("Executing step {} as task {}/{}/{}", request.step, request.run, request.step, request.task));
  const int code = compute::run_task_process(
      [&](const runtime::TaskRequest& task, const runtime::AwaitNodes& await_nodes) {
        LocalStores stores(root);
        // The scheduler holds the flow as well, but a task that was started by hand has none.
        const auto held = runtime::hold_flow(stores.both(), program.flow.name, datastore::IfAbsent::make);
        return runtime::execute_task(program, task, stores.both(), system_clock(), await_nodes);
      },
      request, control, program.binding.leave_process);
  if (code == 0) invocation.console.echo("    Success", Style::good);
  return code;
}

}  // namespace metaflow::cli
