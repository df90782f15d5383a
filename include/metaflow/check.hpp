#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <metaflow/model.hpp>

/// The rules every flow has to keep. One checker, run by the compiler over C++ flows and at start over all others
/// (`check` of src/model/check.hpp, which also puts what it finds into words).
namespace [[gnu::visibility("default")]] metaflow {
namespace model {

/// One step as the checker needs it; refers to names held elsewhere.
struct StepView {
  std::string_view name;
  Takes takes = Takes::nothing;
  int argument_count = 0;  ///< as Step::argument_count; -1 when not even the flow itself is taken
  Transition transition = Transition::none;
  std::span<const std::string_view> next = {};
  bool has_condition = false;            ///< switch only
  std::size_t case_count = 0;            ///< switch only
  std::optional<int> num_parallel = {};  ///< parallel only
  bool marked_start = false, marked_end = false;
  bool is_parallel = false;  ///< carries the decorator `parallel`
};

/// What can be wrong, in the order in which it is looked for. The comments say what Verdict::step and ::other are.
enum class Rule {
  none,
  reserved_step_name,     ///< step
  duplicate_step,         ///< step
  no_start,               ///< –
  several_starts,         ///< the second, the first
  no_end,                 ///< –
  several_ends,           ///< the second, the first
  ambiguous_start,        ///< the marked one, the one named start
  ambiguous_end,          ///< the marked one, the one named end
  start_has_predecessor,  ///< start, who leads to it
  end_has_transition,     ///< end
  end_takes_inputs,       ///< end
  step_name,              ///< step
  missing_self,           ///< step
  too_many_arguments,     ///< step
  join_splits,            ///< step
  missing_transition,     ///< step
  invalid_transition,     ///< step
  unknown_target,         ///< step; other is the position in its `next`
  repeated_target,        ///< step; other is the position in its `next`
  cycle,                  ///< step on the cycle, the one that leads back to it
  unreachable,            ///< step
  foreach_into_join,      ///< the foreach step, the join
  item_without_foreach,   ///< the step that takes an item, the one that leads to it
  join_without_split,     ///< the join, the one that leads to it
  mixed_lineages,         ///< the join, the one that leads to it from elsewhere
  missing_branch,         ///< the join, the first step of the branch that does not reach it
  branches_meet,          ///< step, the split whose branches meet in it
  unjoined_split,         ///< the split, the terminal step
  switch_cases,           ///< step
  switch_condition,       ///< step
  parallel_target,        ///< the step with num_parallel, its target
  parallel_not_joined,    ///< the parallel step, its successor
  parallel_by_others,     ///< the parallel step, who leads to it
  nested_foreach,         ///< the inner foreach step
  switch_into_join,       ///< the switch, the join
  reserved_parameter,     ///< parameter
  duplicate_parameter     ///< parameter, the one of the same name
};

/// The first mistake: a rule, and the indices it is about, -1 where there is none.
struct Verdict {
  Rule rule = Rule::none;
  int step = -1;
  int other = -1;
};

enum class NestedForeach { allowed, refused };

}  // namespace model

namespace detail {

using model::Rule;
using model::StepView;
using model::Takes;
using model::Transition;
using model::Verdict;

constexpr bool contains(std::span<const std::string_view> names, std::string_view name) {
  for (const auto& known : names)
    if (known == name) return true;
  return false;
}

inline constexpr std::array<std::string_view, 5> reserved_step_names{"name", "next", "input", "index", "cmd"};
inline constexpr std::array<std::string_view, 15> reserved_parameter_names{
    "params",         "with",      "tag",         "namespace",      "obj",
    "tags",           "decospecs", "run-id-file", "max-workers",    "max-log-size",
    "max-num-splits", "run-id",    "task-id",     "user-namespace", "runner-attribute-file"};

constexpr bool is_usable_step_name(std::string_view name) {
  if (name.empty() || name.front() == '_') return false;
  for (const char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  return true;
}

constexpr bool opens_branches(Transition transition) {
  return transition == Transition::split || transition == Transition::foreach || transition == Transition::parallel;
}

/// The checker at work. Each member function is one group of rules and returns the first mistake it finds.
class GraphChecker {
 public:
  constexpr explicit GraphChecker(std::span<const StepView> steps) : steps_(steps) {}

  constexpr Verdict run(model::NestedForeach nested) {
    if (const auto found = check_names(); found.rule != Rule::none) return found;
    if (const auto found = check_endpoints(); found.rule != Rule::none) return found;
    if (const auto found = check_steps(); found.rule != Rule::none) return found;
    if (const auto found = check_transitions(); found.rule != Rule::none) return found;
    if (const auto found = check_paths(); found.rule != Rule::none) return found;
    if (const auto found = check_items(); found.rule != Rule::none) return found;
    if (const auto found = check_branches(); found.rule != Rule::none) return found;
    if (const auto found = check_switches(); found.rule != Rule::none) return found;
    if (const auto found = check_parallel(); found.rule != Rule::none) return found;
    if (nested == model::NestedForeach::refused)
      if (const auto found = check_nesting(); found.rule != Rule::none) return found;
    return check_switch_targets();
  }

 private:
  /// A branch that is open: through target `branch` of `split`, inside `outer`. A foreach has one branch, 0.
  struct Open {
    int split = -1, branch = -1, outer = -1;
  };
  static constexpr int no_branch = -1;

  constexpr int count() const { return static_cast<int>(steps_.size()); }
  constexpr const StepView& step(int i) const { return steps_[static_cast<std::size_t>(i)]; }
  template <class T>
  static constexpr T& at(std::vector<T>& list, int i) {
    return list[static_cast<std::size_t>(i)];
  }

  constexpr int find(std::string_view name) const {
    for (int i = 0; i < count(); ++i)
      if (step(i).name == name) return i;
    return -1;
  }

  /// Targets of step i are targets_[first_[i]] up to targets_[first_[i + 1]].
  constexpr std::span<const int> targets(int i) const {
    const auto from = static_cast<std::size_t>(first_[static_cast<std::size_t>(i)]);
    return std::span(targets_).subspan(from, step(i).next.size());
  }

  constexpr Verdict check_names() const {
    for (int i = 0; i < count(); ++i)
      if (contains(reserved_step_names, step(i).name)) return {Rule::reserved_step_name, i};
    for (int i = 0; i < count(); ++i)
      if (find(step(i).name) != i) return {Rule::duplicate_step, i};
    return {};
  }

  constexpr Verdict find_endpoint(bool StepView::*mark, std::string_view usual, int& endpoint, Rule none, Rule several,
                                  Rule ambiguous) const {
    int marked = -1;
    for (int i = 0; i < count(); ++i) {
      if (!(step(i).*mark)) continue;
      if (marked >= 0) return {several, i, marked};
      marked = i;
    }
    const int named = find(usual);
    if (marked >= 0 && named >= 0 && named != marked) return {ambiguous, marked, named};
    endpoint = marked >= 0 ? marked : named;
    if (endpoint < 0 && count() == 1) endpoint = 0;
    if (endpoint < 0) return {none};
    return {};
  }

  constexpr Verdict check_endpoints() {
    auto found = find_endpoint(&StepView::marked_start, "start", start_, Rule::no_start, Rule::several_starts,
                               Rule::ambiguous_start);
    if (found.rule != Rule::none) return found;
    found = find_endpoint(&StepView::marked_end, "end", end_, Rule::no_end, Rule::several_ends, Rule::ambiguous_end);
    if (found.rule != Rule::none) return found;
    for (int i = 0; i < count(); ++i)
      for (const auto& target : step(i).next)
        if (target == step(start_).name && count() > 1) return {Rule::start_has_predecessor, start_, i};
    if (step(end_).transition != Transition::none) return {Rule::end_has_transition, end_};
    if (step(end_).takes == Takes::branches) return {Rule::end_takes_inputs, end_};
    return {};
  }

  constexpr Verdict check_steps() const {
    for (int i = 0; i < count(); ++i)
      if (!is_usable_step_name(step(i).name)) return {Rule::step_name, i};
    for (int i = 0; i < count(); ++i) {
      const auto& s = step(i);
      if (s.argument_count < 0) return {Rule::missing_self, i};
      if (s.argument_count > 1) return {Rule::too_many_arguments, i};
      if (s.takes == Takes::branches && (opens_branches(s.transition) || s.transition == Transition::switch_on))
        return {Rule::join_splits, i};
    }
    return {};
  }

  static constexpr bool has_usable_shape(const StepView& s) {
    switch (s.transition) {
      case Transition::none:
        return s.next.empty();
      case Transition::invalid:
        return false;
      case Transition::linear:
      case Transition::foreach:
        return s.next.size() == 1;
      case Transition::parallel:
        return s.next.size() == 1 && s.num_parallel.value_or(1) >= 1 &&
               s.num_parallel.value_or(1) <= model::max_parallel;
      case Transition::split:
        return s.next.size() >= 2;
      case Transition::switch_on:
        return true;
    }
    return false;
  }

  constexpr Verdict check_transitions() {
    for (int i = 0; i < count(); ++i)
      if (step(i).transition == Transition::none && i != end_) return {Rule::missing_transition, i};
    for (int i = 0; i < count(); ++i)
      if (!has_usable_shape(step(i))) return {Rule::invalid_transition, i};
    for (int i = 0; i < count(); ++i) {
      first_.push_back(static_cast<int>(targets_.size()));
      for (std::size_t n = 0; n < step(i).next.size(); ++n) {
        targets_.push_back(find(step(i).next[n]));
        if (targets_.back() < 0) return {Rule::unknown_target, i, static_cast<int>(n)};
        if (step(i).transition == Transition::split && contains(step(i).next.first(n), step(i).next[n]))
          return {Rule::repeated_target, i, static_cast<int>(n)};
      }
    }
    return {};
  }

  /// A switch that chooses its own step again is no cycle.
  constexpr bool is_recursion(int from, int to) const {
    return from == to && step(from).transition == Transition::switch_on;
  }

  /// Depth first from one step, its last branch first; order_ gets what is finished.
  constexpr Verdict visit(int from, std::vector<int>& position) {
    constexpr int not_seen = -1, finished = -2;
    if (at(position, from) != not_seen) return {};
    std::vector<int> path{from};
    at(position, from) = 0;
    while (!path.empty()) {
      const int here = path.back();
      int& next = at(position, here);
      if (next == static_cast<int>(targets(here).size())) {
        next = finished;
        order_.push_back(here);
        path.pop_back();
        continue;
      }
      const int to = targets(here)[targets(here).size() - 1 - static_cast<std::size_t>(next++)];
      if (is_recursion(here, to) || at(position, to) == finished) continue;
      if (at(position, to) != not_seen) return {Rule::cycle, to, here};
      at(position, to) = 0;
      path.push_back(to);
    }
    return {};
  }

  constexpr Verdict check_paths() {
    std::vector<int> position(steps_.size(), -1);
    if (const auto found = visit(start_, position); found.rule != Rule::none) return found;
    const auto reached = order_.size();
    for (int i = 0; i < count(); ++i)
      if (const auto found = visit(i, position); found.rule != Rule::none) return found;
    if (reached == steps_.size()) return {};
    int first = count();
    for (auto i = reached; i < order_.size(); ++i)
      if (order_[i] < first) first = order_[i];
    return {Rule::unreachable, first};
  }

  constexpr Verdict check_items() const {
    for (int i = 0; i < count(); ++i)
      for (const int to : targets(i)) {
        const bool is_foreach = step(i).transition == Transition::foreach;
        if (is_foreach && step(to).takes == Takes::branches) return {Rule::foreach_into_join, i, to};
        if (!is_foreach && step(to).takes == Takes::item && i != to) return {Rule::item_without_foreach, to, i};
      }
    if (step(start_).takes == Takes::item) return {Rule::item_without_foreach, start_};
    return {};
  }

  /// The branch in which target number n of a step runs. `inside` is the branch in which the step itself runs.
  constexpr int branch_behind(int from, int n, int inside) {
    if (step(from).takes == Takes::branches) inside = at(open_, inside).outer;
    if (!opens_branches(step(from).transition)) return inside;
    open_.push_back({from, n, inside});
    return static_cast<int>(open_.size()) - 1;
  }

  constexpr bool are_siblings(int a, int b) {
    return at(open_, a).split == at(open_, b).split && at(open_, a).outer == at(open_, b).outer;
  }

  struct Arrival {
    int from, branch;
  };

  constexpr Verdict check_join(int join, std::span<const Arrival> arrivals) {
    for (const auto& arrival : arrivals)
      if (arrival.branch == no_branch) return {Rule::join_without_split, join, arrival.from};
    if (arrivals.empty()) return {Rule::join_without_split, join};
    for (const auto& arrival : arrivals)
      if (!are_siblings(arrival.branch, arrivals.front().branch)) return {Rule::mixed_lineages, join, arrival.from};
    const int split = at(open_, arrivals.front().branch).split;
    for (int n = 0; n < static_cast<int>(targets(split).size()); ++n) {
      bool arrived = false;
      for (const auto& arrival : arrivals) arrived = arrived || at(open_, arrival.branch).branch == n;
      if (!arrived) return {Rule::missing_branch, join, targets(split)[static_cast<std::size_t>(n)]};
    }
    return {};
  }

  /// In order of the arrows: where does each step stand, and does every join end exactly the split it should?
  constexpr Verdict check_branches() {
    std::vector<std::vector<Arrival>> arrivals(steps_.size());
    for (auto next = order_.rbegin(); next != order_.rend(); ++next) {
      const int here = *next;
      const auto& from = at(arrivals, here);
      if (step(here).takes == Takes::branches) {
        if (const auto found = check_join(here, from); found.rule != Rule::none) return found;
      } else {
        for (const auto& arrival : from)
          if (arrival.branch != from.front().branch) return {Rule::branches_meet, here, meeting_split(arrival, from)};
      }
      const int inside = from.empty() ? no_branch : from.front().branch;
      if (here == end_ && inside != no_branch) return {Rule::unjoined_split, at(open_, inside).split, end_};
      for (int n = 0; n < static_cast<int>(targets(here).size()); ++n) {
        const int to = targets(here)[static_cast<std::size_t>(n)];
        if (to != here) at(arrivals, to).push_back({here, branch_behind(here, n, inside)});
      }
    }
    return {};
  }

  constexpr int meeting_split(const Arrival& a, std::span<const Arrival> others) {
    const int branch = a.branch != no_branch ? a.branch : others.front().branch;
    return at(open_, branch).split;
  }

  constexpr Verdict check_switches() const {
    for (int i = 0; i < count(); ++i) {
      if (step(i).transition != Transition::switch_on) continue;
      if (step(i).case_count < 2) return {Rule::switch_cases, i};
      if (!step(i).has_condition) return {Rule::switch_condition, i};
    }
    return {};
  }

  constexpr Verdict check_parallel() const {
    for (int i = 0; i < count(); ++i)
      for (const int to : targets(i))
        if (step(i).transition == Transition::parallel && !step(to).is_parallel) return {Rule::parallel_target, i, to};
    for (int i = 0; i < count(); ++i)
      for (const int to : targets(i))
        if (step(i).is_parallel && step(to).takes != Takes::branches) return {Rule::parallel_not_joined, i, to};
    for (int i = 0; i < count(); ++i)
      for (const int to : targets(i))
        if (step(i).transition != Transition::parallel && step(to).is_parallel)
          return {Rule::parallel_by_others, to, i};
    return {};
  }

  constexpr Verdict check_nesting() {
    for (const auto& inner : open_) {
      if (step(inner.split).transition != Transition::foreach) continue;
      for (int outer = inner.outer; outer != no_branch; outer = at(open_, outer).outer)
        if (step(at(open_, outer).split).transition == Transition::foreach) return {Rule::nested_foreach, inner.split};
    }
    return {};
  }

  constexpr Verdict check_switch_targets() const {
    for (int i = 0; i < count(); ++i)
      for (const int to : targets(i))
        if (step(i).transition == Transition::switch_on && step(to).takes == Takes::branches)
          return {Rule::switch_into_join, i, to};
    return {};
  }

  std::span<const StepView> steps_;
  int start_ = -1, end_ = -1;
  std::vector<int> first_, targets_;
  std::vector<int> order_;  // last first
  std::vector<Open> open_;
};

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Options of the command line spell `_` and `-` alike.
constexpr bool is_same_option(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char left = a[i] == '_' ? '-' : lower(a[i]), right = b[i] == '_' ? '-' : lower(b[i]);
    if (left != right) return false;
  }
  return true;
}

}  // namespace detail

namespace model {

/// The first mistake in a graph.
constexpr Verdict check_graph(std::span<const StepView> steps, NestedForeach nested = NestedForeach::allowed) {
  return detail::GraphChecker(steps).run(nested);
}

/// The first mistake in the names of a flow's parameters.
constexpr Verdict check_parameters(std::span<const std::string_view> names) {
  const int count = static_cast<int>(names.size());
  for (int i = 0; i < count; ++i) {
    const auto name = names[static_cast<std::size_t>(i)];
    for (const auto& reserved : detail::reserved_parameter_names)
      if (detail::is_same_option(name, reserved)) return {Rule::reserved_parameter, i};
    for (int k = 0; k < i; ++k)
      if (detail::is_same_option(name, names[static_cast<std::size_t>(k)])) return {Rule::duplicate_parameter, i, k};
  }
  return {};
}

}  // namespace model
}  // namespace metaflow
