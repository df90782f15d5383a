#include <algorithm>
#include <filesystem>

#include <metaflow/pickle.hpp>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/configuration.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/execution.hpp"
#include "cli/spin_origin.hpp"
#include "cli/task_process.hpp"
#include "model/graph.hpp"

namespace metaflow::cli {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

/// A gang cannot be executed by one of its tasks.
void refuse_gangs(const model::Flow& flow, const std::string& name) {
  const model::Graph graph(flow);
  for (const auto before : graph.predecessors(graph.at(name)))
    if (graph.step(before).transition == model::Transition::parallel)
      throw Error(ErrorCode::invalid,
                  fmt::format("Step {} is executed by a gang of tasks; none can be spun alone.", name),
                  "Invalid command");
}

/// Leaves the step those of its decorators that mean something to a task on its own.
void reduce_decorators(model::Step& step, const Invocation& invocation) {
  if (invocation.own.flag("skip-decorators")) return step.decorators.clear();
  const auto configuration = Configuration::read();
  const auto allowed = configuration.list("SPIN_ALLOWED_DECORATORS");
  const auto refused = configuration.list("SPIN_DISALLOWED_DECORATORS");
  std::erase_if(step.decorators, [&](const model::Decorator& decorator) {
    const auto& name = decorator.name;
    if (contains(refused, name))
      throw Error(ErrorCode::invalid,
                  fmt::format("Step {} has the decorator '{}', with which it cannot be spun; see --skip-decorators.",
                              step.name, name),
                  "Invalid command");
    if (!contains(allowed, name))
      invocation.console.echo(
          fmt::format("Decorator '{}' of step {} is ignored: a spun task goes without.", name, step.name));
    return !contains(allowed, name);
  });
}

/// Borrows nothing from the value.
Encoded owned_pickle(const Value& value) {
  const auto borrowing = pickle::encode(value);
  std::string bytes;
  for (std::size_t i = 0; i < borrowing.pickle.count(); ++i) {
    const auto piece = borrowing.pickle.piece(i);
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  Encoded owned{.pickle = {}, .type = borrowing.type};
  owned.pickle.own(std::move(bytes));
  return owned;
}

runtime::Replacements read_replacements(const std::string& file) {
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorCode::usage, fmt::format("Invalid value for '--artifacts-module': {}", why));
  };
  const auto text = read_text_file(file);
  if (!text) throw refuse(fmt::format("no file '{}'", file));
  const auto values = JsonValue::parse(*text, nullptr, false);
  if (!values.is_object())
    throw refuse(
        fmt::format("'{}' is no JSON object. A C++ program cannot run a Python module: write the artifacts as "
                    "{{\"name\": value}} into a file.",
                    file));
  runtime::Replacements replacements;
  for (const auto& [name, value] : values.items())
    replacements.push_back({.name = name, .value = owned_pickle(value_of(value))});
  return replacements;
}

bool keeps_artifacts(const Arguments& own) {
  if (own.given("persist")) return own.flag("persist");
  return Configuration::read().flag("SPIN_PERSIST");
}

runtime::RunOptions spin_options(const Invocation& invocation, const std::string& root, const std::string& step) {
  auto options = record_options(invocation, root, metadata::current_identity().name_space());
  options.only_step = step;
  return options;
}

/// What `spin` and `spin-step` have in common.
void add_spin_options(Command& command) {
  const auto add = [&](Option option) { command.options.push_back(std::move(option)); };
  add({.name = "persist",
       .kind = OptionKind::flag,
       .help = "Store the artifacts, too, and not only what is printed.",
       .off_name = "no-persist"});
  add({.name = "artifacts-module",
       .type = "PATH",
       .help = "A JSON file of artifacts, {\"name\": value}, that stand in for those of the inputs."});
  add({.name = "skip-decorators",
       .kind = OptionKind::flag,
       .help = "Go without the decorators of the step; otherwise timeout and environment count.",
       .default_text = "false",
       .off_name = "no-skip-decorators"});
}

/// All that a process needs that executes a spun task.
struct Spinning {
  const FlowProgram& program;
  Roots origin, roots;  ///< of what is read, and of what is written
  bool keeps_artifacts;
  runtime::Replacements replacements;

  runtime::TaskOutcome execute(const runtime::TaskRequest& request) const {
    OpenedStores stores(roots), of_origin(origin);
    return runtime::execute_spun_task(program, request, stores.both(), of_origin.objects(), replacements,
                                      keeps_artifacts, system_clock());
  }
};

/// Leaves the step to be executed the decorators that count. The roots are left empty.
Spinning make_spinning(Invocation& invocation, const std::string& step) {
  auto& flow = invocation.program.flow;
  refuse_gangs(flow, step);
  reduce_decorators(*std::ranges::find(flow.steps, step, &model::Step::name), invocation);
  Spinning spinning{.program = invocation.program,
                    .origin = {},
                    .roots = {},
                    .keeps_artifacts = keeps_artifacts(invocation.own),
                    .replacements = {}};
  if (invocation.own.given("artifacts-module"))
    spinning.replacements = read_replacements(invocation.own.text("artifacts-module"));
  return spinning;
}

/// What `spin-step` has to be told of a task, besides what `step` is.
std::vector<std::string> spin_step_arguments(const Arguments& own, const Spinning& spinning,
                                             const runtime::TaskRequest& request) {
  auto words = runtime::step_arguments(request);
  words.front() = "spin-step";
  words.insert(words.end(),
               {"--orig-flow-datastore", (spinning.origin.is_local() ? "local@" : "s3@") + spinning.origin.objects});
  words.emplace_back(spinning.keeps_artifacts ? "--persist" : "--no-persist");
  if (own.flag("skip-decorators")) words.emplace_back("--skip-decorators");
  if (own.given("artifacts-module"))
    words.insert(words.end(), {"--artifacts-module", std::filesystem::absolute(own.text("artifacts-module")).string()});
  return words;
}

/// Of `local@/data/.metaflow`, or `s3@s3://bucket/prefix`.
Roots origin_of(const std::string& text) {
  for (const std::string_view type : {"local@", "spin@"})
    if (text.starts_with(type) && text.size() > type.size())
      return local_roots(std::filesystem::absolute(text.substr(type.size())).lexically_normal().string());
  constexpr std::string_view s3 = "s3@";
  if (text.starts_with(std::string(s3) + "s3://")) return {find_local_root().path, text.substr(s3.size())};
  throw Error(ErrorCode::usage,
              fmt::format("Invalid value for '--orig-flow-datastore': '{}' is neither local@FOLDER nor s3@URL.", text));
}

}  // namespace

void describe_spin(Command& command, const FlowProgram&) {
  command.description =
      "Execute one step alone, to try it out: with the inputs that a task of an earlier run had, which stays as it is. "
      "PATHSPEC is step, run/step or run/step/task: what is left out is the latest of your runs, and its newest "
      "task.\n\n"
      "What it leaves goes to .metaflow_spin; '--mode spin' before 'logs' and 'dump' shows it.";
  command.arguments = {{"PATHSPEC"}};
  add_spin_options(command);
  add_isolation_option(command, "fork");
  add_record_options(command);
}

int execute_spin(Invocation& invocation) {
  const auto& program = invocation.program;
  require_valid(program.flow);
  const auto origin = parse_spin_origin(*invocation.own.argument(0), program.flow);
  auto spinning = make_spinning(invocation, origin.step);
  spinning.origin = find_roots(invocation, false);
  spinning.roots = find_spin_roots(invocation);
  auto fresh_process = step_program(invocation, spinning.roots);
  fresh_process.command = [&](const runtime::TaskRequest& request) {
    return spin_step_arguments(invocation.own, spinning, request);
  };
  const auto launcher = make_launcher(invocation, std::move(fresh_process), [&] {
    return compute::make_fork_launcher(
        [&](const runtime::TaskRequest& request, const runtime::AwaitNodes&) { return spinning.execute(request); }, {},
        process_hooks(program));
  });
  OpenedStores stores(spinning.roots, program.binding.system_tags), of_origin(spinning.origin);
  // Before the origin is looked for: the task reads what it left.
  const auto held = runtime::hold_flow(of_origin.both(), program.flow.name, datastore::IfAbsent::pass);
  const auto inputs = find_spin_inputs(origin, program.flow, spinning.origin.records);
  return runtime::spin_step(program, spin_options(invocation, spinning.roots.records, origin.step), inputs,
                            stores.both(), *launcher, system_clock());
}

void describe_spin_step(Command& command, const FlowProgram&) {
  add_task_options(command);
  command.options.push_back({.name = "orig-flow-datastore",
                             .type = "TYPE@ROOT",
                             .help = "Where the tasks before this one are stored: local@/data/.metaflow.",
                             .required = true});
  add_spin_options(command);
}

int execute_spin_step(Invocation& invocation) {
  // Taken at once, so that nothing started from here inherits it.
  const int control = compute::inherited_control_descriptor();
  auto request = task_request(invocation);
  auto spinning = make_spinning(invocation, request.step);
  spinning.origin = origin_of(invocation.own.text("orig-flow-datastore"));
  spinning.roots = invocation.top.given("datastore-root") ? find_roots(invocation, true) : find_spin_roots(invocation);
  return run_task(invocation, std::move(request), control,
                  [&](const runtime::TaskRequest& task, const runtime::AwaitNodes&) {
                    OpenedStores stores(spinning.roots), of_origin(spinning.origin);
                    // As `spin` does; but a task that was started by hand has nobody else to hold them.
                    const auto& flow = invocation.flow_name();
                    const auto held = runtime::hold_flow(stores.both(), flow, datastore::IfAbsent::make);
                    const auto origin_held = runtime::hold_flow(of_origin.both(), flow, datastore::IfAbsent::pass);
                    return spinning.execute(task);
                  });
}

}  // namespace metaflow::cli
