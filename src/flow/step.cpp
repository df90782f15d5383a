#include <cstdlib>
#include <exception>

#include <cxxabi.h>

#include <metaflow/detail/program.hpp>
#include <metaflow/error.hpp>

#include "base/json.hpp"

namespace metaflow::detail {
namespace {

std::string absolute(const char* file) {
  const std::unique_ptr<char, decltype(&std::free)> path(::realpath(file, nullptr), &std::free);
  return path ? path.get() : file;
}

/// Type and words of an exception that is no std::exception.
Failure describe_foreign_exception() {
  const auto* type = abi::__cxa_current_exception_type();
  Failure failure;
  failure.type = type ? type_text(*type) : "unknown exception";
  try {
    throw;
  } catch (const char* text) {
    failure.message = text ? text : "";
  } catch (const std::string& text) {
    failure.message = text;
  } catch (int number) {
    failure.message = std::to_string(number);
  } catch (...) {
    failure.message = "an exception of type " + failure.type;
  }
  return failure;
}

JsonValue whole_or_real(double number) {
  const auto whole = static_cast<std::int64_t>(number);
  return static_cast<double>(whole) == number ? JsonValue(whole) : JsonValue(number);
}

JsonValue number_or_null(double number) { return number == 0 ? JsonValue() : whole_or_real(number); }

JsonValue text_or_null(std::string_view text) { return text.empty() ? JsonValue() : JsonValue(text); }

JsonValue json_of(const EnvironmentSetting& environment) {
  auto variables = JsonValue::object();
  for (const auto& [name, value] : environment) variables[std::string(name)] = value;
  return variables;
}

/// A source is text, or a JSON object.
JsonValue json_of(const SecretsSetting& secrets) {
  auto sources = JsonValue::array();
  for (const auto source : secrets.sources)
    sources.push_back(source.starts_with('{') ? parse_json(source, "a source of secrets") : JsonValue(source));
  return sources;
}

JsonValue json_of(const BatchTexts& texts) {
  auto list = JsonValue::array();
  for (const auto text : texts) list.push_back(text);
  return list.empty() ? JsonValue() : list;
}

JsonValue tags_of(const BatchTexts& texts) {
  auto tags = JsonValue::object();
  for (const auto text : texts) tags[std::string(text.substr(0, text.find('=')))] = text.substr(text.find('=') + 1);
  return tags.empty() ? JsonValue() : tags;
}

JsonValue json_of(const std::optional<int>& number) { return number ? JsonValue(*number) : JsonValue(); }

using Attributes = std::initializer_list<std::pair<const char*, JsonValue>>;

void add_decorator(model::Step& step, const char* name, Attributes attributes) {
  auto& decorator = step.decorators.emplace_back();
  decorator.name = name;
  for (const auto& [key, value] : attributes) decorator.attributes.emplace_back(key, dump_json(value));
}

void add_batch(model::Step& step, const BatchOptions& batch) {
  add_decorator(step, "batch",
                {{"cpu", number_or_null(batch.cpu)},
                 {"gpu", number_or_null(batch.gpu)},
                 {"memory", number_or_null(batch.memory_mb)},
                 {"image", text_or_null(batch.image)},
                 {"queue", text_or_null(batch.queue)},
                 {"iam_role", text_or_null(batch.iam_role)},
                 {"execution_role", text_or_null(batch.execution_role)},
                 {"shared_memory", number_or_null(batch.shared_memory_mb)},
                 {"max_swap", json_of(batch.max_swap_mb)},
                 {"swappiness", json_of(batch.swappiness)},
                 {"inferentia", number_or_null(batch.inferentia)},
                 {"trainium", number_or_null(batch.trainium)},
                 {"efa", number_or_null(batch.efa)},
                 {"host_volumes", json_of(batch.host_volumes)},
                 {"efs_volumes", json_of(batch.efs_volumes)},
                 {"use_tmpfs", batch.use_tmpfs},
                 {"tmpfs_tempdir", batch.tmpfs_tempdir},
                 {"tmpfs_size", number_or_null(batch.tmpfs_size_mb)},
                 {"tmpfs_path", JsonValue(batch.tmpfs_path)},
                 {"aws_batch_tags", tags_of(batch.tags)},
                 {"ephemeral_storage", number_or_null(batch.ephemeral_storage_gib)},
                 {"log_driver", text_or_null(batch.log_driver)},
                 {"log_options", json_of(batch.log_options)},
                 {"executable", JsonValue()},
                 {"privileged", batch.privileged}});
}

/// As if each setting had been written as a decorator.
void add_decorators(model::Step& step, const StepSettings& settings) {
  const auto add = [&](const char* name, Attributes attributes) { add_decorator(step, name, attributes); };
  if (const auto& retry = settings.retry)
    add("retry", {{"times", retry->times}, {"minutes_between_retries", retry->minutes_between_retries}});
  if (const auto& timeout = settings.timeout)
    add("timeout", {{"seconds", timeout->seconds}, {"minutes", timeout->minutes}, {"hours", timeout->hours}});
  if (const auto& caught = settings.caught)
    add("catch", {{"var", text_or_null(caught->variable)}, {"print_exception", caught->options.print_exception}});
  if (const auto& environment = settings.environment) add("environment", {{"vars", json_of(*environment)}});
  if (const auto& resources = settings.resources)
    add("resources", {{"cpu", whole_or_real(resources->cpu)},
                      {"gpu", number_or_null(resources->gpu)},
                      {"disk", number_or_null(resources->disk_mb)},
                      {"memory", resources->memory_mb},
                      {"shared_memory", number_or_null(resources->shared_memory_mb)}});
  if (const auto& secrets = settings.secrets)
    add("secrets", {{"sources", json_of(*secrets)},
                    {"role", text_or_null(secrets->options.role)},
                    {"allow_override", secrets->options.allow_override}});
  if (settings.is_parallel) add("parallel", {});
  if (settings.batch) add_batch(step, *settings.batch);
}

}  // namespace

std::string text_of_case(std::string_view key) { return std::string(key); }
std::string text_of_case(bool key) { return key ? "True" : "False"; }
std::string text_of_case(long long key) { return std::to_string(key); }

void add_case(model::Step& step, std::string value) {
  const auto& target = step.next[step.cases.size()];
  step.cases.push_back({std::move(value), target});
}

model::Step& add_step(model::Flow& model, const StepView& view, const StepSettings& settings) {
  auto& step = model.steps.emplace_back();
  step.name = view.name;
  step.takes = view.takes;
  step.argument_count = view.argument_count;
  step.transition = view.transition;
  step.next.assign(view.next.begin(), view.next.end());
  step.marked_start = view.marked_start;
  step.marked_end = view.marked_end;
  step.documentation = settings.documentation.value_or("");
  step.source_file = absolute(settings.file);
  step.line = settings.line;
  add_decorators(step, settings);
  return step;
}

FlowProgram make_program(model::Flow model, const FlowTraits& traits) {
  model.name = traits.name;
  model.documentation = traits.documentation;
  model.source_file = model.steps.front().source_file;
  FlowProgram program;
  for (std::size_t i = 0; i < traits.slots.size(); ++i) {
    const auto name = traits.names[i];
    if (const auto* constant = dynamic_cast<const ConstantSlot*>(traits.slots[i]))
      model.constants.push_back(constant->describe(name));
    const auto* parameter = dynamic_cast<const ParameterSlot*>(traits.slots[i]);
    if (!parameter) continue;
    model.parameters.push_back(parameter->describe(name));
    // Each keeps the flow object alive that its slot is part of.
    program.parameters.push_back(
        {[parameter, name, owner = traits.defaults](std::string_view text) { return parameter->parse(name, text); },
         [parameter, owner = traits.defaults](const ParameterContext& context) {
           return parameter->default_value(context);
         }});
  }
  program.flow = std::move(model);
  program.run_step = [model = std::make_shared<const model::Flow>(program.flow), run = traits.run_step](
                         std::size_t step, TaskContext& task) { return run(*model, step, task); };
  return program;
}

TaskView view_of_task(TaskContext& task, const model::Flow& flow, const model::Step& step) {
  return {&task.inherited(), flow.name, step.name, &task.current().foreach_stack, step.takes == Takes::branches};
}

const ForeachFrame* find_frame(const TaskView& view, std::string_view variable) {
  for (auto frame = view.foreach_stack->rbegin(); frame != view.foreach_stack->rend(); ++frame)
    if (frame->variable == variable) return &*frame;
  return nullptr;
}

Value item_at(const Value& container, std::int64_t index) {
  const auto i = static_cast<std::size_t>(index);
  if (index >= 0 && container.kind() == ValueKind::dict) {
    if (i < container.pairs().size()) return Value::tuple({container.pairs()[i].first, container.pairs()[i].second});
  } else if (index >= 0) {
    std::vector<Value> storage;
    const auto items = read_items(container, storage);
    if (i < items.size()) return items[i];
  }
  throw Error(ErrorCode::not_found, "the foreach has no item number " + std::to_string(index));
}

pickle::Document load_item(const TaskView& view, const ForeachFrame& frame) {
  const auto reference = view.source->find(frame.variable);
  if (!reference)
    throw Error(ErrorCode::not_found, "cannot find the item of step '" + view.step_name + "': the artifact '" +
                                          frame.variable + "' that the foreach goes over is not there");
  // A list may be long: no values are made of its other items.
  if (reference->type == "<class 'list'>" && frame.index >= 0)
    return view.source->load_item(frame.variable, *reference, static_cast<std::size_t>(frame.index));
  auto document = pickle::decode_document(view.source->load(frame.variable, *reference));
  document.value = item_at(document.value, frame.index);
  return document;
}

void throw_no_item(const TaskView& view) {
  throw Error(ErrorCode::internal, "step '" + view.step_name + "' takes an item, but runs outside any foreach");
}

void require_one_axis(std::string_view artifact, std::size_t rank) {
  if (rank == 1) return;
  throw Error(ErrorCode::invalid,
              "foreach over the array '" + std::string(artifact) + "' needs one axis, it has " + std::to_string(rank),
              "Invalid transition");
}

void throw_no_case(const model::Step& step, const Value& value) {
  std::string cases;
  for (const auto& known : step.cases) cases += (cases.empty() ? "" : ", ") + known.value;
  throw Error(
      ErrorCode::invalid,
      "switch on '" + step.condition + "' has no case for its value " + value.repr() + "; the cases are: " + cases,
      "Invalid transition");
}

Failure describe_exception() {
  try {
    throw;
  } catch (const Error& error) {
    return {"metaflow::Error", error.what(), error.what(), error.headline()};
  } catch (const std::exception& error) {
    return {type_text(typeid(error)), error.what(), error.what(), {}};
  } catch (const abi::__forced_unwind&) {
    throw;  // the thread is being cancelled
  } catch (...) {
    auto failure = describe_foreign_exception();
    failure.stacktrace = failure.message;
    return failure;
  }
}

void save(std::span<Slot* const> slots, TaskContext& task, StepResult& result) {
  std::vector<NamedArtifact> values;
  for (const auto* slot : slots) {
    try {
      SlotAccess::save(*slot, values, task);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::invalid) throw;
      if (result.failure) continue;  // what went wrong first says more
      const auto message =
          "cannot store artifact '" + std::string(SlotAccess::name(*slot)) + "': " + std::string(error.what());
      result = {Failure{"metaflow::Error", message, message, "Artifact not stored"}, {}, {}};
    }
  }
  task.store(values);
}

}  // namespace metaflow::detail
