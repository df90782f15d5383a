#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <metaflow/check.hpp>
#include <metaflow/codec.hpp>
#include <metaflow/detail/names.hpp>
#include <metaflow/failure.hpp>
#include <metaflow/task.hpp>

/// The words in which a flow declares its graph:
///
///     static constexpr auto graph() {
///       using F = Films;
///       return mf::graph(mf::step<&F::start>().foreach<&F::genres, &F::stats>(),
///                        mf::step<&F::stats>(mf::retry({.times = 3})).to<&F::join>(),
///                        mf::step<&F::join>(mf::doc("Puts the table together")).to<&F::end>(),
///                        mf::step<&F::end>());
///     }
namespace [[gnu::visibility("default")]] metaflow {

template <class Flow>
class Inputs;

struct RetryOptions {
  int times = 3;                    ///< attempts after the first one, 0 to 4
  int minutes_between_retries = 2;  ///< waited by schedulers, and by local runs with --retry-delay
};

/// The three are added up.
struct TimeoutOptions {
  int seconds = 0, minutes = 0, hours = 0;
};

struct CatchOptions {
  bool print_exception = true;  ///< shows it in the log of the task
};

/// What a step needs of the machine; 0 stands for nothing in particular.
struct ResourceOptions {
  double cpu = 1;
  double gpu = 0;
  int memory_mb = 4096;
  int disk_mb = 0;
  int shared_memory_mb = 0;
};

struct SecretsOptions {
  std::string_view role = {};   ///< of the cloud, for backends that have them
  bool allow_override = false;  ///< secrets may replace variables that the environment has already
};

/// Up to 8 literals.
struct BatchTexts {
  std::array<std::string_view, 8> items{};
  std::size_t count = 0;

  constexpr BatchTexts() = default;
  constexpr BatchTexts(std::initializer_list<std::string_view> texts) {
    if (texts.size() > items.size()) throw "batch takes up to 8 texts here";
    for (const auto text : texts) items[count++] = text;
  }
  constexpr auto begin() const { return items.begin(); }
  constexpr auto end() const { return items.begin() + static_cast<std::ptrdiff_t>(count); }
};

/// How a step runs on AWS Batch. What is left as it is comes from the configuration, or means nothing in particular.
struct BatchOptions {
  double cpu = 0;
  double gpu = 0;
  int memory_mb = 0;
  std::string_view image = {};
  std::string_view queue = {};  ///< name or ARN
  std::string_view iam_role = {}, execution_role = {};
  int shared_memory_mb = 0;
  std::optional<int> max_swap_mb = {}, swappiness = {};
  int inferentia = 0, trainium = 0, efa = 0;  ///< how many of these devices; the first two are the same
  BatchTexts host_volumes = {};               ///< `/path` or `/path:/path/in/container`
  BatchTexts efs_volumes = {};                ///< `fs-12` or `fs-12:/path/in/container`
  bool use_tmpfs = false;
  bool tmpfs_tempdir = true;
  int tmpfs_size_mb = 0;
  std::string_view tmpfs_path = "/metaflow_temp";
  BatchTexts tags = {};  ///< `name=value`
  int ephemeral_storage_gib = 0;
  std::string_view log_driver = {};
  BatchTexts log_options = {};  ///< `name:value`
  bool privileged = false;
};

/// An environment variable. Both are literals.
struct EnvironmentVariable {
  std::string_view name = {}, value = {};
};

namespace detail {

/// A short list that a constant can hold.
template <class T, std::size_t Capacity>
struct FewOf {
  std::array<T, Capacity> items{};
  std::size_t count = 0;

  template <std::size_t N>
  static constexpr FewOf of(const T (&given)[N]) {
    static_assert(N <= Capacity);
    FewOf few;
    for (const auto& item : given) few.items[few.count++] = item;
    return few;
  }
  constexpr auto begin() const { return items.begin(); }
  constexpr auto end() const { return items.begin() + static_cast<std::ptrdiff_t>(count); }
};

struct CatchSetting {
  std::string_view variable = {};
  CatchOptions options = {};
};
using EnvironmentSetting = FewOf<EnvironmentVariable, 16>;
struct SecretsSetting {
  FewOf<std::string_view, 8> sources = {};
  SecretsOptions options = {};
};

}  // namespace detail

/// Settings of a step: each function below makes one, and `mf::step` takes them together.
struct StepSetting {
  std::optional<std::string_view> documentation = {};
  std::optional<RetryOptions> retry = {};
  std::optional<TimeoutOptions> timeout = {};
  std::optional<detail::CatchSetting> caught = {};
  std::optional<detail::EnvironmentSetting> environment = {};
  std::optional<ResourceOptions> resources = {};
  std::optional<detail::SecretsSetting> secrets = {};
  std::optional<BatchOptions> batch = {};
  bool is_parallel = false;
  bool is_start = false, is_end = false;
};

/// What a step is for, in a sentence or a paragraph. `text` is a literal.
constexpr StepSetting doc(std::string_view text) { return {.documentation = text}; }

/// Runs the step again when it fails. Out of range does not compile.
constexpr StepSetting retry(RetryOptions options = {}) {
  if (options.times < 0 || options.times > 4) throw "retry takes between 0 and 4 times";
  if (options.minutes_between_retries < 0) throw "retry waits for 0 minutes or more";
  return {.retry = options};
}

/// Ends the step when it has run for so long, with all it started: it has failed then, and what it had set is lost.
/// `mf::retry` and `mf::catch_exception` treat that as any other failure.
constexpr StepSetting timeout(TimeoutOptions options) {
  if (options.seconds < 0 || options.minutes < 0 || options.hours < 0) throw "timeout takes no time below 0";
  if (options.seconds == 0 && options.minutes == 0 && options.hours == 0) throw "timeout needs a time above 0";
  return {.timeout = options};
}

/// Goes on with the next step even when this one has failed for good; the task still counts as not successful. Not for
/// steps with a foreach or a switch.
constexpr StepSetting catch_exception(CatchOptions options = {}) {
  return {.caught = detail::CatchSetting{{}, options}};
}
/// The same; the steps after it find in an artifact what went wrong, or nothing when all went well:
///
///     mf::Artifact<std::optional<mf::Failure>> trouble;
///     mf::step<&F::risky>(mf::catch_exception<&F::trouble>()).to<&F::next>()
template <auto Artifact>
constexpr StepSetting catch_exception(CatchOptions options = {});

/// Sets up to 16 environment variables for the task: `mf::environment({{"OMP_NUM_THREADS", "4"}, {"MODE", "fast"}})`.
template <std::size_t Count>
constexpr StepSetting environment(const EnvironmentVariable (&variables)[Count]) {
  static_assert(Count <= 16, "environment takes up to 16 variables");
  for (const auto& variable : variables)
    if (variable.name.empty() || variable.name.find('=') != variable.name.npos)
      throw "a variable's name has at least one character, and no '='";
  return {.environment = detail::EnvironmentSetting::of(variables)};
}

/// What the step needs of the machine it runs on. A local run does not care; clouds reserve it.
constexpr StepSetting resources(ResourceOptions options) {
  if (options.cpu <= 0 || options.memory_mb <= 0) throw "resources takes more than 0 of cpu and memory";
  if (options.gpu < 0 || options.disk_mb < 0 || options.shared_memory_mb < 0) throw "resources takes nothing below 0";
  return {.resources = options};
}

/// Sets environment variables from up to 8 places where secrets are kept: `backend.id`, or a JSON object with `type`,
/// `id` and `options`. Known to this version is the backend `inline`, for tests:
/// `{"type": "inline", "id": "x", "options": {"env_vars": {"NAME": "value"}}}`.
template <std::size_t Count>
constexpr StepSetting secrets(const std::string_view (&sources)[Count], SecretsOptions options = {}) {
  static_assert(Count <= 8, "secrets takes up to 8 sources");
  return {.secrets = detail::SecretsSetting{detail::FewOf<std::string_view, 8>::of(sources), options}};
}

/// Runs the step's tasks on AWS Batch, in containers of their own: `mf::batch({.cpu = 2, .memory_mb = 8'000})`. The flow needs the
/// datastore s3 then. Of what this and `mf::resources` ask for, the larger counts.
constexpr StepSetting batch(BatchOptions options = {}) {
  if (options.cpu < 0 || options.gpu < 0 || options.memory_mb < 0) throw "batch takes no cpu, gpu or memory below 0";
  if (options.shared_memory_mb < 0 || options.tmpfs_size_mb < 0 || options.ephemeral_storage_gib < 0)
    throw "batch takes no storage below 0";
  if (options.tmpfs_path.empty() || options.tmpfs_path[0] != '/') throw "tmpfs_path is an absolute path";
  for (const auto tag : options.tags)
    if (tag.find('=') == tag.npos || tag.find('=') == 0) throw "a tag is written as name=value";
  return {.batch = options};
}

/// Marks the step that `num_parallel` starts: its tasks, the nodes of a gang, run at the same time, and each finds the
/// others by `Current::parallel`. A join comes right after it.
constexpr StepSetting parallel() { return {.is_parallel = true}; }

/// Marks the first step of a flow that has none called start.
inline constexpr StepSetting start_step{.is_start = true};
/// Marks the last step of a flow that has none called end.
inline constexpr StepSetting end_step{.is_end = true};

namespace detail {

template <class M>
struct MemberOf;
template <class C, class T>
struct MemberOf<T C::*> {
  using Class = C;
  using Type = T;
};

template <class T>
constexpr void add_setting(std::optional<T>& known, const std::optional<T>& given) {
  if (known && given) throw "a step takes each setting once";
  if (given) known = given;
}

struct StepSettings : StepSetting {
  const char* file = "";
  int line = 0;

  constexpr void add(const StepSetting& given) {
    add_setting(documentation, given.documentation);
    add_setting(retry, given.retry);
    add_setting(timeout, given.timeout);
    add_setting(caught, given.caught);
    add_setting(environment, given.environment);
    add_setting(resources, given.resources);
    add_setting(secrets, given.secrets);
    add_setting(batch, given.batch);
    is_parallel = is_parallel || given.is_parallel;
    is_start = is_start || given.is_start;
    is_end = is_end || given.is_end;
  }
};

template <class... T>
struct Types {};

/// What a step's member function takes, without a trailing Current.
template <class Function>
struct StepSignature;
template <class F, class... A>
struct StepSignature<void (F::*)(A...)> {
  using Flow = F;
  using Arguments = Types<A...>;
};
template <class F, class... A>
struct StepSignature<void (F::*)(A...) const> : StepSignature<void (F::*)(A...)> {};
template <class F, class... A>
struct StepSignature<void (F::*)(A...) noexcept> : StepSignature<void (F::*)(A...)> {};
template <class F, class... A>
struct StepSignature<void (F::*)(A...) const noexcept> : StepSignature<void (F::*)(A...)> {};

template <class T>
inline constexpr bool is_inputs = false;
template <class F>
inline constexpr bool is_inputs<Inputs<F>> = true;

struct NoItem {};

template <class Flow, class Arguments>
struct StepArguments {
  static constexpr bool is_usable = false, takes_current = false;
  static constexpr Takes takes = Takes::nothing;
  using Item = NoItem;
};
template <class Flow, bool WithCurrent, class T>
struct OneArgument {
  static constexpr bool is_usable = !is_inputs<T> || std::same_as<T, Inputs<Flow>>;
  static constexpr bool takes_current = WithCurrent;
  static constexpr Takes takes = is_inputs<T> ? Takes::branches : Takes::item;
  using Item = T;
};
template <class Flow, bool WithCurrent>
struct NoArgument {
  static constexpr bool is_usable = true, takes_current = WithCurrent;
  static constexpr Takes takes = Takes::nothing;
  using Item = NoItem;
};
template <class Flow>
struct StepArguments<Flow, Types<>> : NoArgument<Flow, false> {};
template <class Flow, class T>
struct StepArguments<Flow, Types<T>>
    : std::conditional_t<std::same_as<std::remove_cvref_t<T>, Current>, NoArgument<Flow, true>,
                         OneArgument<Flow, false, std::remove_cvref_t<T>>> {};
template <class Flow, class T, class C>
requires std::same_as<std::remove_cvref_t<C>, Current>
struct StepArguments<Flow, Types<T, C>> : OneArgument<Flow, true, std::remove_cvref_t<T>> {
};

template <auto Body>
concept StepFunction = requires {
  typename StepSignature<decltype(Body)>::Flow;
};

template <auto Body>
using FlowOf = typename StepSignature<decltype(Body)>::Flow;
template <auto Body>
using ArgumentsOf = StepArguments<FlowOf<Body>, typename StepSignature<decltype(Body)>::Arguments>;

/// Type of what an artifact, parameter or constant holds.
template <auto Member>
using HeldBy = typename MemberOf<decltype(Member)>::Type::value_type;

template <auto... Member>
inline constexpr std::array<std::string_view, sizeof...(Member)> names_of{name_of<Member>...};

template <class T>
concept Iterable = Container<T> && !std::same_as<T, std::string>;

/// Type of one item of a container; a dict's is a pair.
template <class T>
struct ItemOf {
  using Type = void;
};
template <Iterable T>
requires(!MapLike<T>) struct ItemOf<T> {
  using Type = typename T::value_type;
};
template <MapLike T>
struct ItemOf<T> {
  using Type = std::pair<typename T::key_type, typename T::mapped_type>;
};
template <class T>
struct ItemOf<Array<T>> {
  using Type = T;
};
template <class T, std::size_t N>
struct ItemOf<std::array<T, N>> {
  using Type = T;
};
template <>
struct ItemOf<Value> {
  using Type = Value;
};

/// A body may ask for a dict's item as the dict itself has it, with a const key.
template <class Asked, class Item>
inline constexpr bool is_item = std::same_as<Asked, Item>;
template <class K, class V>
inline constexpr bool is_item<std::pair<const K, V>, std::pair<K, V>> = true;

struct NoTransition {
  static constexpr Transition kind = Transition::none;
};

template <auto... Targets>
struct To {
  static constexpr Transition kind = sizeof...(Targets) == 1 ? Transition::linear : Transition::split;
  static constexpr std::span<const std::string_view> next{names_of<Targets...>};
};

template <auto Over, auto Target>
struct Foreach {
  static constexpr Transition kind = Transition::foreach;
  static constexpr auto over = Over;
  static constexpr std::span<const std::string_view> next{names_of<Target>};
};

/// As many nodes as a member holds.
template <auto Nodes, auto Target>
struct Gang {
  static constexpr Transition kind = Transition::parallel;
  static constexpr std::span<const std::string_view> next{names_of<Target>};
};

template <auto Target>
struct FixedGang {
  static constexpr Transition kind = Transition::parallel;
  static constexpr std::span<const std::string_view> next{names_of<Target>};
  int nodes;
};

template <auto Target, class Key>
struct Case {
  Key key;
};

template <class Held, class Key>
inline constexpr bool is_case_of = std::same_as<Held, Key> ||
                                   (std::same_as<Held, std::string> && std::same_as<Key, const char*>) ||
                                   (std::integral<Held> && std::integral<Key> && !std::same_as<Held, bool> &&
                                    !std::same_as<Key, bool>);

template <auto Condition, class... Cases>
struct Switch;
template <auto Condition, auto... Targets, class... Keys>
struct Switch<Condition, Case<Targets, Keys>...> {
  static_assert((is_case_of<HeldBy<Condition>, Keys> && ...),
                "the values in mf::when must have the type of the artifact, parameter or constant that switch_on asks");
  static constexpr Transition kind = Transition::switch_on;
  static constexpr auto condition = Condition;
  static constexpr std::span<const std::string_view> next{names_of<Targets...>};
  std::tuple<Keys...> keys;
};

template <auto Over, auto Target>
consteval bool check_foreach() {
  using Held = HeldBy<Over>;
  using Item = typename ItemOf<Held>::Type;
  using Arguments = ArgumentsOf<Target>;
  static_assert(
      !std::is_void_v<Item>,
      "foreach needs an artifact or parameter that holds a vector, array, deque, list, set, map or mf::Array");
  if constexpr (!std::is_void_v<Item> && Arguments::takes == Takes::item)
    static_assert(is_item<typename Arguments::Item, Item>,
                  "the step after foreach must take an item of the type that the artifact's container holds");
  return true;
}

/// One step of a graph being declared. Beside its settings it has one transition, written with `to`, `foreach` or
/// `switch_on`; the last step has none.
template <auto Body, class Transition = NoTransition>
struct Step {
  static constexpr auto body = Body;
  StepSettings settings;
  Transition transition;

  /// Goes on with one step, or splits into several that all run and have to be joined.
  template <auto... Targets>
  requires std::same_as<Transition, NoTransition>
  constexpr auto to() const {
    static_assert(sizeof...(Targets) > 0, "to<…> needs at least one step");
    static_assert((std::same_as<FlowOf<Targets>, FlowOf<Body>> && ...), "a step can only go to steps of its own flow");
    return Step<Body, To<Targets...>>{settings, {}};
  }
  /// Runs one step for each item of an artifact or parameter.
  template <auto Over, auto Target>
  requires std::same_as<Transition, NoTransition>
  constexpr auto foreach () const {
    static_assert(check_foreach<Over, Target>());
    if (settings.caught) throw "a step with a foreach cannot have catch_exception";
    return Step<Body, Foreach<Over, Target>>{settings, {}};
  }
  /// Runs one step, which is marked with `mf::parallel()`, as a gang of so many tasks at the same time. A number out of
  /// range does not compile.
  template <auto Target>
  requires std::same_as<Transition, NoTransition>
  constexpr auto num_parallel(int nodes) const {
    if (nodes < 1 || nodes > model::max_parallel) throw "num_parallel takes between 1 and 10,000 nodes";
    if (settings.caught) throw "a step with num_parallel cannot have catch_exception";
    return Step<Body, FixedGang<Target>>{settings, {nodes}};
  }
  /// The same; how many is what an artifact, parameter or constant holds when the step ends.
  template <auto Nodes, auto Target>
  requires std::same_as<Transition, NoTransition>
  constexpr auto num_parallel() const {
    static_assert(std::integral<HeldBy<Nodes>> && !std::same_as<HeldBy<Nodes>, bool>,
                  "num_parallel needs an artifact, parameter or constant that holds a whole number");
    if (settings.caught) throw "a step with num_parallel cannot have catch_exception";
    return Step<Body, Gang<Nodes, Target>>{settings, {}};
  }
  /// Goes on with the one step that the value of an artifact or parameter chooses:
  /// `.switch_on<&F::mode>(mf::when<&F::fast>("fast"), mf::when<&F::slow>("slow"))`. A step may choose itself again.
  template <auto Condition, class... Cases>
  requires std::same_as<Transition, NoTransition>
  constexpr auto switch_on(Cases... cases) const {
    if (settings.caught) throw "a step with a switch cannot have catch_exception";
    return Step<Body, Switch<Condition, Cases...>>{settings, {std::tuple(cases.key...)}};
  }
};

template <class... Steps>
struct GraphDeclaration {
  std::tuple<Steps...> steps;
};

}  // namespace detail

/// One way out of a switch: the step it leads to when the condition has this value: text, integer, bool or enumerator.
template <auto Target, class Key>
constexpr auto when(Key key) {
  if constexpr (std::convertible_to<Key, const char*>)
    return detail::Case<Target, const char*>{key};
  else
    return detail::Case<Target, Key>{key};
}

template <auto Artifact>
constexpr StepSetting catch_exception(CatchOptions options) {
  static_assert(std::same_as<detail::HeldBy<Artifact>, std::optional<Failure>>,
                "catch_exception needs an mf::Artifact<std::optional<mf::Failure>>");
  return {.caught = detail::CatchSetting{detail::name_of<Artifact>, options}};
}

/// A step of the flow, by its member function, which takes nothing, one item of a foreach, or the Inputs of a join, and
/// after that, if it likes, a `const mf::Current&`. Settings stand in any order.
template <auto Body>
constexpr auto step(StepSetting a = {}, StepSetting b = {}, StepSetting c = {}, StepSetting d = {}, StepSetting e = {},
                    StepSetting f = {}, StepSetting g = {}, StepSetting h = {}, const char* file = __builtin_FILE(),
                    int line = __builtin_LINE()) {
  static_assert(detail::StepFunction<Body>, "a step is a member function that returns nothing");
  static_assert(
      detail::ArgumentsOf<Body>::is_usable,
      "a step takes nothing, one item, or the mf::Inputs of its own flow; after that a const mf::Current& may "
      "follow");
  detail::Step<Body> step;
  for (const auto& setting : {a, b, c, d, e, f, g, h}) step.settings.add(setting);
  step.settings.file = file;
  step.settings.line = line;
  return step;
}

/// All steps of a flow, in any order.
template <class... Steps>
constexpr auto graph(Steps... steps) {
  return detail::GraphDeclaration<Steps...>{{steps...}};
}

}  // namespace metaflow
