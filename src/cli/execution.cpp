#include "cli/execution.hpp"

#include <cstdlib>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/configuration.hpp"
#include "cli/batch_check.hpp"
#include "cli/batch_execution.hpp"
#include "cli/commands.hpp"
#include "cli/decospec.hpp"
#include "runtime/task_attempt.hpp"

namespace metaflow::cli {
namespace {

/// The words by which an option of the flow's own is given again.
std::vector<std::string> words_of(const FlowOption& option, const std::vector<std::string>& values) {
  const auto name = "--" + option.name;
  if (option.kind == FlowOption::Kind::flag) {
    if (values.front() == "true") return {name};
    return option.off_name.empty() ? std::vector<std::string>() : std::vector{"--" + option.off_name};
  }
  const std::size_t at_once = option.kind == FlowOption::Kind::pairs ? 2 : 1;
  std::vector<std::string> words;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % at_once == 0) words.push_back(name);
    words.push_back(values[i]);
  }
  return words;
}

/// What the forked tasks of a run share, made before they are: they find it in their memory.
struct ForkedTasks {
  ForkedTasks(const FlowProgram& flow_program, const Roots& roots)
      : program(flow_program), stores(roots), input(program.flow, stores.both().objects) {}

  const FlowProgram& program;
  OpenedStores stores;
  runtime::SharedInput input;
};

std::unique_ptr<runtime::Launcher> make_forks(const FlowProgram& program, const Roots& roots) {
  const auto tasks = std::make_shared<ForkedTasks>(program, roots);
  return compute::make_fork_launcher(
      [tasks](const runtime::TaskRequest& request, const runtime::AwaitNodes& await_nodes) {
        return runtime::execute_task(tasks->program, request, tasks->stores.both(), system_clock(), await_nodes,
                                     &tasks->input);
      },
      [tasks](const runtime::TaskRequest& request) { tasks->input.prepare(request); }, process_hooks(program));
}

/// Shows the command line of each task.
class TellingLauncher final : public runtime::Launcher {
 public:
  TellingLauncher(std::unique_ptr<runtime::Launcher> launcher, compute::StepProgram program)
      : launcher_(std::move(launcher)), program_(std::move(program)) {}

  void launch(runtime::AttemptHandle attempt, const runtime::TaskRequest& request) override {
    std::string line = "debug[subcommand]:";
    for (const auto& word : program_.arguments) line += ' ' + word;
    for (const auto& word : program_.command(request)) line += ' ' + (word.empty() ? "''" : word);
    Console().echo(line);
    launcher_->launch(attempt, request);
  }
  void signal(runtime::AttemptHandle attempt, int number) override { launcher_->signal(attempt, number); }
  void interrupt() override { launcher_->interrupt(); }
  void let_finish(runtime::AttemptHandle attempt) override { launcher_->let_finish(attempt); }
  int descriptor() const override { return launcher_->descriptor(); }
  std::vector<runtime::LauncherEvent> take_events() override { return launcher_->take_events(); }

 private:
  std::unique_ptr<runtime::Launcher> launcher_;
  compute::StepProgram program_;
};

std::set<std::string> user_tags(const Arguments& own) {
  const auto& given = own.list("tag");
  std::set<std::string> tags(given.begin(), given.end());
  try {
    metadata::validate_tags(tags);
  } catch (const Error& error) {
    throw Error(ErrorCode::invalid, error.what(), "Tagging error");
  }
  return tags;
}

}  // namespace

std::vector<std::string> all_decospecs(const Invocation& invocation) {
  auto specs = invocation.own.list("with");
  const auto add = [&](const std::vector<std::string>& more) { specs.insert(specs.end(), more.begin(), more.end()); };
  add(split_at_spaces(setting("DEFAULT_DECOSPECS").value_or("")));
  add(invocation.top.list("with"));
  return specs;
}

void prepare_flow(Invocation& invocation, const std::string& command, MoreDecorators decorators) {
  auto& program = invocation.program;
  auto specs = decorators == MoreDecorators::all ? all_decospecs(invocation) : invocation.top.list("with");
  if (!program.binding.configure) {
    if (decorators != MoreDecorators::none) apply_decospecs(program.flow, specs);
    return;
  }
  FlowChoices choices{.command = command, .options = {}, .decorators = std::move(specs)};
  for (const auto& option : program.binding.options)
    if (invocation.top.given(option.name)) choices.options.emplace_back(option.name, invocation.top.list(option.name));
  auto configured = program.binding.configure(choices);
  program.flow = std::move(configured.flow);
  program.binding.system_tags = std::move(configured.system_tags);
  program.binding.code = std::move(configured.code);
}

compute::ProcessHooks process_hooks(const FlowProgram& program) {
  return {.fork = program.binding.fork_process, .leave = program.binding.leave_process};
}

compute::StepProgram step_program(const Invocation& invocation, const Roots& roots) {
  const auto& binding = invocation.program.binding;
  auto words = binding.command.empty() ? std::vector{invocation.script} : binding.command;
  const auto path = binding.command.empty() ? std::string("/proc/self/exe") : words.front();
  const auto add = [&](const std::vector<std::string>& more) { words.insert(words.end(), more.begin(), more.end()); };
  add({"--quiet", "--metadata", "local", "--environment", "local"});
  add({"--datastore", roots.is_local() ? "local" : "s3"});
  add({"--event-logger", "nullSidecarLogger", "--monitor", "nullSidecarMonitor"});
  add({"--datastore-root", roots.objects});
  for (const auto& option : binding.options)
    if (invocation.top.given(option.name)) add(words_of(option, invocation.top.list(option.name)));
  for (const auto& spec : all_decospecs(invocation)) add({"--with", spec});
  return {path, std::move(words)};
}

std::unique_ptr<runtime::Launcher> make_launcher(
    const Invocation& invocation, compute::StepProgram program,
    const std::function<std::unique_ptr<runtime::Launcher>()>& make_forks) {
  auto launcher = invocation.own.text("isolation") == "spawn" ? compute::make_spawn_launcher(program) : make_forks();
  const char* debug = std::getenv("METAFLOW_DEBUG_SUBCOMMAND");
  if (debug == nullptr || *debug == '\0' || *debug == '0') return launcher;
  return std::make_unique<TellingLauncher>(std::move(launcher), std::move(program));
}

void add_execution_options(Command& command, const FlowProgram& program) {
  const auto add = [&](Option option) { command.options.push_back(std::move(option)); };
  add({.name = "tag", .kind = OptionKind::repeated, .help = "Tag this run. May be repeated.", .variable = "TAGS"});
  add({.name = "max-workers",
       .kind = OptionKind::integer,
       .type = "INTEGER",
       .help = "Most tasks to run at a time.",
       .default_text = "16",
       .minimum = 1});
  add({.name = "max-num-splits",
       .kind = OptionKind::integer,
       .type = "INTEGER",
       .help = "Most tasks one foreach may start: stops a slip before it starts thousands.",
       .default_text = "100"});
  add({.name = "with",
       .kind = OptionKind::repeated,
       .type = "DECORATOR",
       .help = "Add a decorator to all steps, for example retry:times=3. May be repeated.",
       .variable = "DECOSPECS"});
  add({.name = "retry-delay",
       .kind = OptionKind::flag,
       .help = "Wait before a retry for as long as its step asks; otherwise retries start at once.",
       .off_name = "no-retry-delay"});
  add_isolation_option(command, program.binding.spawns_tasks ? "spawn" : "fork");
  add_record_options(command);
}

void add_isolation_option(Command& command, std::string otherwise) {
  command.options.push_back({.name = "isolation",
                             .help = "How tasks start: as forked copies of this program, or as fresh processes.",
                             .default_text = std::move(otherwise),
                             .choices = {"fork", "spawn"}});
}

void add_record_options(Command& command) {
  const auto add = [&](Option option) { command.options.push_back(std::move(option)); };
  add({.name = "max-log-size",
       .kind = OptionKind::integer,
       .type = "INTEGER",
       .help = "Most output of a task to store, in megabytes for each stream.",
       .default_text = "10"});
  add({.name = "run-id-file", .type = "PATH", .help = "Write the id of the run to this file."});
  add({.name = "runner-attribute-file", .type = "PATH", .help = "Write id, flow and metadata of the run as JSON."});
}

Execution::Execution(const Invocation& invocation, Roots roots)
    : program_(invocation.program), roots_(std::move(roots)) {
  const auto datastore = roots_.is_local() ? "local" : "s3";
  if (has_batch(program_.flow)) check_batch(program_.flow, datastore, batch_defaults(Configuration::read()));
  launcher_ =
      make_launcher(invocation, step_program(invocation, roots_), [this] { return make_forks(program_, roots_); });
  if (has_batch(program_.flow)) launcher_ = with_batch(std::move(launcher_), invocation, roots_);
}

runtime::RunOptions run_options(const Invocation& invocation, const std::string& records, std::string name_space) {
  const auto& own = invocation.own;
  auto options = record_options(invocation, records, std::move(name_space));
  options.max_workers = static_cast<int>(own.integer("max-workers"));
  options.max_num_splits = static_cast<int>(own.integer("max-num-splits"));
  options.tags = user_tags(own);
  options.retry_delay = own.flag("retry-delay");
  return options;
}

runtime::RunOptions record_options(const Invocation& invocation, const std::string& records, std::string name_space) {
  const auto& own = invocation.own;
  return {.timeout_grace = std::chrono::seconds(invocation.program.binding.interrupts_itself ? 5 : 0),
          .max_log_bytes = static_cast<std::uint64_t>(own.integer("max-log-size")) * 1'000'000,
          .name_space = std::move(name_space),
          .run_id_file = own.text("run-id-file"),
          .runner_attribute_file = own.text("runner-attribute-file"),
          .metadata = metadata_description(records),
          .script = invocation.script};
}

}  // namespace metaflow::cli
