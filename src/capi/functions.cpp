#include <algorithm>

#include <fmt/format.h>

#include "base/json.hpp"
#include "capi/description.hpp"
#include "capi/flow.hpp"
#include "capi/guard.hpp"
#include "capi/task.hpp"

/// Calls of the caller's functions, as the engine knows them.
namespace metaflow::capi {
namespace {

struct FreeBuffer {
  void operator()(metaflow_buffer* buffer) const noexcept { metaflow_buffer_free(buffer); }
};

/// A result that such a function may leave.
class Result {
 public:
  metaflow_buffer** place() {
    buffer_.reset();
    return &raw_;
  }
  /// Takes over what was left; the view is empty when that is nothing.
  std::optional<std::string_view> take() {
    if (raw_ != nullptr) buffer_.reset(std::exchange(raw_, nullptr));
    return buffer_ ? std::optional(buffer_->bytes.text()) : std::nullopt;
  }
  ~Result() { metaflow_buffer_free(raw_); }

 private:
  metaflow_buffer* raw_ = nullptr;
  std::unique_ptr<metaflow_buffer, FreeBuffer> buffer_;
};

/// Throws what the function reports.
template <class Function>
void call(const char* name, Function function) {
  metaflow_error* raw = nullptr;
  const metaflow_status status = function(&raw);
  const std::unique_ptr<metaflow_error> error(raw);
  if (status == METAFLOW_OK) return;
  if (!error)
    throw Error(code_of(status),
                fmt::format("{} failed and did not say why (status {}).", name, static_cast<int>(status)));
  throw Error(code_of(status), error->message, error->headline);
}

Encoded encoded(std::string_view bytes, Result& type) {
  Encoded value{.pickle = {}, .type = std::string(type.take().value_or("<class 'object'>"))};
  value.pickle.own(std::string(bytes));
  return value;
}

ParameterBinding parameter_binding(const metaflow_flow& flow, std::size_t index) {
  const auto parse = [&flow, index](std::string_view text) {
    Result pickle, type;
    call("parse_parameter", [&](metaflow_error** error) {
      return flow.functions.parse_parameter(flow.user, index, std::string(text).c_str(), pickle.place(), type.place(),
                                            error);
    });
    const auto bytes = pickle.take();
    if (!bytes) throw Error(ErrorCode::internal, "parse_parameter left no value.");
    return encoded(*bytes, type);
  };
  const auto default_value = [&flow, index](const ParameterContext& context) -> std::optional<Encoded> {
    Result pickle, type;
    call("default_parameter", [&](metaflow_error** error) {
      return flow.functions.default_parameter(flow.user, index, context.user_name.c_str(), pickle.place(), type.place(),
                                              error);
    });
    const auto bytes = pickle.take();
    if (!bytes) return std::nullopt;
    return encoded(*bytes, type);
  };
  return {parse, default_value};
}

StepResult run_step(const metaflow_flow& flow, std::size_t step, TaskContext& context) {
  metaflow_task task{context, {}};
  try {
    call("run_step", [&](metaflow_error** error) { return flow.functions.run_step(flow.user, step, &task, error); });
  } catch (const Error& error) {
    task.result.failure = Failure{"metaflow.exception.MetaflowException", error.what(), error.what(), error.headline()};
  }
  return std::move(task.result);
}

JsonValue json_of(const FlowOption& option, const std::vector<std::string>& values) {
  using Kind = FlowOption::Kind;
  if (option.kind == Kind::text) return values.back();
  if (option.kind == Kind::flag) return values.back() == "true";
  if (option.kind == Kind::repeated) return values;
  auto pairs = JsonValue::array();
  for (std::size_t i = 0; i + 1 < values.size(); i += 2) pairs.push_back({values[i], values[i + 1]});
  return pairs;
}

std::string choices_json(const FlowProgram& program, const FlowChoices& choices) {
  auto options = JsonValue::object();
  for (const auto& [name, values] : choices.options)
    options[name] = json_of(*std::ranges::find(program.binding.options, name, &FlowOption::name), values);
  return dump_json({{"command", choices.command}, {"options", options}, {"with", choices.decorators}});
}

/// Steps and parameters are known to the caller by their places.
void require_same_places(const model::Flow& before, const model::Flow& after) {
  const bool same_steps = std::ranges::equal(before.steps, after.steps, {}, &model::Step::name, &model::Step::name);
  const bool same_parameters =
      std::ranges::equal(before.parameters, after.parameters, {}, &model::Parameter::name, &model::Parameter::name);
  if (before.name != after.name || !same_steps || !same_parameters)
    throw Error(ErrorCode::invalid,
                "configure left a flow of another name, or with other steps or parameters: these must stay as they "
                "were, in the same order.");
}

ConfiguredFlow configure(const metaflow_flow& flow, const FlowChoices& choices) {
  Result description;
  call("configure", [&](metaflow_error** error) {
    return flow.functions.configure(flow.user, choices_json(flow.program, choices).c_str(), description.place(), error);
  });
  const auto json = description.take();
  const auto& known = flow.program;
  if (!json || json->empty()) return {known.flow, known.binding.system_tags, known.binding.code};
  auto configured = read_description(*json);
  require_same_places(known.flow, configured.flow);
  return {std::move(configured.flow), std::move(configured.binding.system_tags), std::move(configured.binding.code)};
}

}  // namespace

void bind_functions(metaflow_flow& flow) {
  auto& program = flow.program;
  for (std::size_t i = 0; i < program.flow.parameters.size(); ++i)
    program.parameters.push_back(parameter_binding(flow, i));
  program.run_step = [&flow](std::size_t step, TaskContext& task) { return run_step(flow, step, task); };
  auto& binding = program.binding;
  if (flow.functions.configure != nullptr)
    binding.configure = [&flow](const FlowChoices& choices) { return configure(flow, choices); };
  if (flow.functions.fork_process != nullptr)
    binding.fork_process = [&flow] { return flow.functions.fork_process(flow.user); };
  if (flow.functions.leave_process != nullptr)
    binding.leave_process = [&flow] { flow.functions.leave_process(flow.user); };
}

}  // namespace metaflow::capi
