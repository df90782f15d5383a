#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <metaflow/artifact.hpp>
#include <metaflow/constant.hpp>
#include <metaflow/graph.hpp>
#include <metaflow/inputs.hpp>
#include <metaflow/parameter.hpp>

/// From a flow's struct to the FlowProgram that the engine runs.
namespace [[gnu::visibility("default")]] metaflow {
namespace detail {

/// What a failed static_assert names: the rule in words, and the step.
template <Rule Broken, auto Step, auto Other>
struct FlowGraph {
  static_assert(Broken != Rule::reserved_step_name, "this step's name is reserved: choose another one");
  static_assert(Broken != Rule::duplicate_step, "the graph lists this step twice");
  static_assert(Broken != Rule::no_start, "the flow has no start: name a step start, or mark one with mf::start_step");
  static_assert(Broken != Rule::several_starts, "two steps are marked with mf::start_step");
  static_assert(Broken != Rule::no_end, "the flow has no end: name a step end, or mark one with mf::end_step");
  static_assert(Broken != Rule::several_ends, "two steps are marked with mf::end_step");
  static_assert(Broken != Rule::ambiguous_start, "this step is marked with mf::start_step, but another is named start");
  static_assert(Broken != Rule::ambiguous_end, "this step is marked with mf::end_step, but another is named end");
  static_assert(Broken != Rule::start_has_predecessor, "a step leads back to this first step");
  static_assert(Broken != Rule::end_has_transition, "this last step goes on to another: remove its transition");
  static_assert(Broken != Rule::end_takes_inputs, "the last step takes mf::Inputs: put a join before it");
  static_assert(Broken != Rule::step_name, "names of steps are made of a-z, 0-9 and _, and begin with no _");
  static_assert(Broken != Rule::join_splits, "this step joins and splits at once: split in a step of its own after it");
  static_assert(Broken != Rule::missing_transition, "this step goes nowhere and is not end: add .to<…>()");
  static_assert(Broken != Rule::invalid_transition, "this step's transition has none of the known forms");
  static_assert(Broken != Rule::unknown_target, "this step goes to a step that mf::graph does not list");
  static_assert(Broken != Rule::repeated_target, "this step splits into the same step twice");
  static_assert(Broken != Rule::cycle, "the graph has a cycle through this step");
  static_assert(Broken != Rule::unreachable, "no path from start reaches this step");
  static_assert(Broken != Rule::foreach_into_join, "foreach leads straight into a join: put a step between them");
  static_assert(Broken != Rule::item_without_foreach, "this step takes an item, but no foreach leads to it");
  static_assert(Broken != Rule::join_without_split, "this step takes mf::Inputs, but no split or foreach leads to it");
  static_assert(Broken != Rule::mixed_lineages, "this step joins branches of different splits");
  static_assert(Broken != Rule::missing_branch, "a branch of the split does not reach this join");
  static_assert(Broken != Rule::branches_meet, "branches of a split meet in this step, which takes no mf::Inputs");
  static_assert(Broken != Rule::unjoined_split, "the branches of this step are never joined");
  static_assert(Broken != Rule::switch_cases, "a switch needs two cases or more");
  static_assert(Broken != Rule::parallel_target, "num_parallel leads to a step without the setting mf::parallel()");
  static_assert(Broken != Rule::parallel_not_joined,
                "this step has mf::parallel(), so the one after it has to be a join");
  static_assert(Broken != Rule::parallel_by_others,
                "this step has mf::parallel(), but a step leads to it without num_parallel");
  static_assert(Broken != Rule::switch_into_join, "this switch leads straight into a join: put a step between them");
};

template <Rule Broken, auto Parameter>
struct FlowParameters {
  static_assert(Broken != Rule::reserved_parameter,
                "this parameter's name is an option of its own: choose another one");
  static_assert(Broken != Rule::duplicate_parameter, "two parameters have names that differ only in case");
};

template <class Transition>
constexpr std::size_t case_count(const Transition&) {
  return 0;
}
template <auto Condition, class... Cases>
constexpr std::size_t case_count(const Switch<Condition, Cases...>&) {
  return sizeof...(Cases);
}

template <auto Body, class Transition>
constexpr StepView view_of(const Step<Body, Transition>& step) {
  StepView view;
  view.name = name_of<Body>;
  view.takes = ArgumentsOf<Body>::takes;
  view.argument_count = view.takes == Takes::nothing ? 0 : 1;
  view.transition = Transition::kind;
  if constexpr (requires { Transition::next; }) view.next = Transition::next;
  view.has_condition = view.transition == model::Transition::switch_on;
  view.case_count = case_count(step.transition);
  if constexpr (requires { step.transition.nodes; }) view.num_parallel = step.transition.nodes;
  view.is_parallel = step.settings.is_parallel;
  view.marked_start = step.settings.is_start;
  view.marked_end = step.settings.is_end;
  return view;
}

template <class... Steps>
constexpr std::array<StepView, sizeof...(Steps)> views_of(const GraphDeclaration<Steps...>& graph) {
  return std::apply([](const auto&... step) { return std::array<StepView, sizeof...(Steps)>{view_of(step)...}; },
                    graph.steps);
}

template <std::size_t I, class... Steps>
struct BodyAt;
template <class First, class... Rest>
struct BodyAt<0, First, Rest...> {
  static constexpr auto body = First::body;
};
template <std::size_t I, class First, class... Rest>
struct BodyAt<I, First, Rest...> : BodyAt<I - 1, Rest...> {};

template <int I, class... Steps>
consteval auto body_at(const GraphDeclaration<Steps...>&) {
  if constexpr (I >= 0 && I < static_cast<int>(sizeof...(Steps)))
    return BodyAt<static_cast<std::size_t>(I), Steps...>::body;
  else
    return nullptr;
}

template <class Flow>
inline constexpr auto graph_of = Flow::graph();

template <class Flow>
consteval bool check_graph_of() {
  constexpr auto views = views_of(graph_of<Flow>);
  constexpr auto found = model::check_graph(views);
  constexpr auto step = body_at<found.step>(graph_of<Flow>);
  constexpr bool other_is_step = found.rule != Rule::unknown_target && found.rule != Rule::repeated_target;
  constexpr auto other = body_at < other_is_step ? found.other : -1 > (graph_of<Flow>);
  return sizeof(FlowGraph<found.rule, step, other>) > 0;
}

template <class Flow, std::size_t I>
using MemberType = std::remove_reference_t<decltype(*address_of<I>(member_addresses(std::declval<Flow&>())))>;

/// The parameters among the members: their names, and which members they are.
template <std::size_t Count>
struct ParametersFound {
  std::array<std::string_view, Count> names{};
  std::array<std::size_t, Count> members{};
  std::size_t count = 0;
};

template <class Flow, std::size_t... I>
consteval auto list_parameters(std::index_sequence<I...>) {
  constexpr std::array<bool, sizeof...(I) + 1> is_parameter{std::derived_from<MemberType<Flow, I>, ParameterSlot>...,
                                                            false};
  ParametersFound<sizeof...(I) + 1> list;
  for (std::size_t i = 0; i < sizeof...(I); ++i)
    if (is_parameter[i]) {
      list.names[list.count] = member_names<Flow>[i];
      list.members[list.count++] = i;
    }
  return list;
}

template <class Flow>
consteval bool check_parameters_of() {
  constexpr auto list = list_parameters<Flow>(std::make_index_sequence<member_count<Flow>()>());
  constexpr auto found = model::check_parameters(std::span(list.names).first(list.count));
  if constexpr (found.rule != Rule::none)
    return sizeof(FlowParameters<found.rule, member_pointer<Flow, list.members[found.step]>>) > 0;
  return true;
}

template <class Member>
consteval bool check_member() {
  static_assert(std::derived_from<Member, Slot>,
                "every data member of a flow is an mf::Artifact, mf::Parameter, mf::IncludeFile or mf::Constant");
  return std::derived_from<Member, Slot>;
}

template <class Flow>
consteval bool check_names() {
  static_assert(is_identifier(class_name<Flow>),
                "a flow is known by the plain name of its struct, and the compiler gives none for this one: give it a "
                "name, and no character as template argument");
  constexpr auto& names = member_names<Flow>;
  static_assert(std::all_of(names.begin(), names.end(), is_identifier),
                "artifacts are known by the names of a flow's members, and the compiler gives none for one of these");
  return is_identifier(class_name<Flow>) && std::all_of(names.begin(), names.end(), is_identifier);
}

template <class Flow, std::size_t... I>
consteval bool check_members(std::index_sequence<I...>) {
  return (check_member<MemberType<Flow, I>>() && ...);
}

/// Everything that can be said about a flow before it runs.
template <class Flow>
consteval bool check_flow() {
  static_assert(std::is_aggregate_v<Flow>,
                "a flow is a plain struct: no constructors, no private members, no virtual functions");
  static_assert(
      requires { Flow::graph(); }, "a flow needs a `static constexpr auto graph()` that returns mf::graph(…)");
  if constexpr (std::is_aggregate_v<Flow> && requires { Flow::graph(); }) {
    constexpr auto count = member_count<Flow>();
    static_assert(count <= max_members, "a flow has at most 128 data members");
    if constexpr (count <= max_members)
      if constexpr (check_members<Flow>(std::make_index_sequence<count>()))
        return check_names<Flow>() && check_parameters_of<Flow>() && check_graph_of<Flow>();
  }
  return false;
}

std::string text_of_case(std::string_view key);
std::string text_of_case(bool key);
std::string text_of_case(long long key);
template <class Key>
std::string case_text(Key key) {
  if constexpr (std::is_enum_v<Key>)
    return std::string(enumerator_name(key));
  else if constexpr (std::same_as<Key, bool>)
    return text_of_case(key);
  else if constexpr (std::integral<Key>)
    return text_of_case(static_cast<long long>(key));
  else
    return std::string(key);
}

/// The case of the next target.
void add_case(model::Step& step, std::string value);

template <class Transition>
void describe_transition(const Transition&, model::Step&) {}
template <auto Over, auto Target>
void describe_transition(const Foreach<Over, Target>&, model::Step& step) {
  step.foreach_artifact = name_of<Over>;
}
template <auto Target>
void describe_transition(const FixedGang<Target>& transition, model::Step& step) {
  step.num_parallel = transition.nodes;
}
template <auto Condition, class... Cases>
void describe_transition(const Switch<Condition, Cases...>& transition, model::Step& step) {
  step.condition = name_of<Condition>;
  std::apply([&](const auto&... key) { (add_case(step, case_text(key)), ...); }, transition.keys);
}

/// A flow object that only the library keeps; its slots tell names and defaults.
struct FlowTraits {
  std::string_view name, documentation;
  std::shared_ptr<void> defaults;
  std::span<Slot* const> slots;
  std::span<const std::string_view> names;
  StepResult (*run_step)(const model::Flow&, std::size_t, TaskContext&);
};
FlowProgram make_program(model::Flow model, const FlowTraits& traits);

model::Step& add_step(model::Flow& model, const StepView& view, const StepSettings& settings);

template <auto Body, class Transition>
void describe(model::Flow& model, const Step<Body, Transition>& declared) {
  describe_transition(declared.transition, add_step(model, view_of(declared), declared.settings));
}

// ---- running

/// Item number `index` of a stored container.
Value item_at(const Value& container, std::int64_t index);
/// The frame's item, read from the container as the task sees it.
pickle::Document load_item(const TaskView& view, const ForeachFrame& frame);
/// The innermost foreach over this artifact, nullptr when there is none.
const ForeachFrame* find_frame(const TaskView& view, std::string_view variable);
[[noreturn]] void throw_no_item(const TaskView& view);
[[noreturn]] void throw_no_case(const model::Step& step, const Value& value);
void require_one_axis(std::string_view artifact, std::size_t rank);
/// The current exception as a failed body; passes on what is no error of the body's.
Failure describe_exception();

template <class Item>
Item read_item(const TaskView& view, const ForeachFrame& frame) {
  const auto document = load_item(view, frame);
  return Codec<Item>::read({document.value, document.exclusive ? document.buffer : std::shared_ptr<Buffer>()});
}

/// An item without the const that a dict puts before its keys.
template <class T>
struct PlainItem {
  using Type = T;
};
template <class K, class V>
struct PlainItem<std::pair<const K, V>> {
  using Type = std::pair<K, V>;
};

template <auto Body, class Flow>
void run_body(Flow& flow, const TaskView& view, TaskContext& task) {
  using Arguments = ArgumentsOf<Body>;
  const auto call = [&](auto&&... argument) {
    if constexpr (Arguments::takes_current)
      (flow.*Body)(std::forward<decltype(argument)>(argument)..., task.current());
    else
      (flow.*Body)(std::forward<decltype(argument)>(argument)...);
  };
  if constexpr (Arguments::takes == Takes::nothing) {
    call();
  } else if constexpr (Arguments::takes == Takes::branches) {
    call(Inputs<Flow>(std::make_shared<InputSet<Flow>>(JoinState{task, view.flow_name})));
  } else {
    if (view.foreach_stack->empty()) throw_no_item(view);
    typename Arguments::Item item =
        read_item<typename PlainItem<typename Arguments::Item>::Type>(view, view.foreach_stack->back());
    call(std::move(item));
  }
}

template <class Transition, class Flow>
void follow(const Transition&, const Flow&, const model::Step&, StepResult&) {}

template <auto Over, auto Target, class Flow>
void follow(const Foreach<Over, Target>&, const Flow& flow, const model::Step& step, StepResult& result) {
  const HeldBy<Over>& container = *(flow.*Over);
  const auto add = [&](const auto& item) { result.foreach_values.push_back(foreach_value(item)); };
  if constexpr (std::same_as<HeldBy<Over>, Value>) {
    const auto text = to_value(container);
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(text.size()); ++i) add(item_at(text, i));
  } else {
    if constexpr (requires { container.rank(); }) require_one_axis(step.foreach_artifact, container.rank());
    for (const typename HeldBy<Over>::value_type& item : container) add(item);
  }
}

template <auto Target, class Flow>
void follow(const FixedGang<Target>& transition, const Flow&, const model::Step&, StepResult& result) {
  result.num_parallel = transition.nodes;
}

template <auto Nodes, auto Target, class Flow>
void follow(const Gang<Nodes, Target>&, const Flow& flow, const model::Step&, StepResult& result) {
  const HeldBy<Nodes>& nodes = *(flow.*Nodes);
  result.num_parallel = static_cast<std::int64_t>(nodes);
}

template <class Held, class Key>
bool is_key(const Held& value, const Key& key) {
  if constexpr (std::integral<Held>)
    return static_cast<long long>(value) == static_cast<long long>(key);
  else
    return value == key;
}

template <auto Condition, class... Cases, class Flow>
void follow(const Switch<Condition, Cases...>& transition, const Flow& flow, const model::Step& step,
            StepResult& result) {
  const HeldBy<Condition>& value = *(flow.*Condition);
  std::size_t chosen = 0;
  const bool found = std::apply([&](const auto&... key) { return ((is_key(value, key) || (++chosen, false)) || ...); },
                                transition.keys);
  if (!found) throw_no_case(step, to_value(value));
  result.chosen = step.next[chosen];
}

template <class Flow>
using RunStep = void (*)(Flow&, const TaskView&, TaskContext&, const model::Step&, StepResult&);

template <class Flow, std::size_t I>
void run_declared(Flow& flow, const TaskView& view, TaskContext& task, const model::Step& step, StepResult& result) {
  constexpr auto& declared = std::get<I>(graph_of<Flow>.steps);
  run_body<declared.body>(flow, view, task);
  follow(declared.transition, flow, step, result);
}

template <class Flow, std::size_t... I>
void run_declared(std::size_t index, std::index_sequence<I...>, Flow& flow, const TaskView& view, TaskContext& task,
                  const model::Step& step, StepResult& result) {
  static constexpr RunStep<Flow> table[] = {&run_declared<Flow, I>...};
  table[index](flow, view, task, step, result);
}

TaskView view_of_task(TaskContext& task, const model::Flow& flow, const model::Step& step);
/// Stores, passes on and drops what the body asked for; a value that cannot be stored makes the step fail.
void save(std::span<Slot* const> slots, TaskContext& task, StepResult& result);

template <class Flow>
StepResult run_step(const model::Flow& model, std::size_t index, TaskContext& task) {
  const auto& step = model.steps[index];
  Branch<Flow> self;
  self.view = view_of_task(task, model, step);
  bind_slots(self.flow, self.view);
  StepResult result;
  try {
    constexpr auto count = std::tuple_size_v<decltype(graph_of<Flow>.steps)>;
    run_declared(index, std::make_index_sequence<count>(), self.flow, self.view, task, step, result);
  } catch (...) {
    result = {describe_exception(), {}, {}};
  }
  save(slots_of(self.flow), task, result);
  return result;
}

template <class Flow>
FlowProgram make_program() {
  model::Flow model;
  std::apply([&](const auto&... step) { (describe(model, step), ...); }, graph_of<Flow>.steps);
  auto defaults = std::make_shared<Branch<Flow>>();
  const auto slots = slots_of(defaults->flow);
  FlowTraits traits{class_name<Flow>, {}, defaults, slots, member_names<Flow>, &run_step<Flow>};
  if constexpr (requires { std::string_view(Flow::documentation); }) traits.documentation = Flow::documentation;
  return make_program(std::move(model), traits);
}

}  // namespace detail
}  // namespace metaflow
