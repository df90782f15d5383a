#pragma once

#include <array>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <metaflow/detail/members.hpp>
#include <metaflow/detail/slot.hpp>
#include <metaflow/task.hpp>

namespace [[gnu::visibility("default")]] metaflow {

/// Which artifacts merge_artifacts takes over; at most one of the two lists may be given.
struct MergeOptions {
  std::vector<std::string> exclude = {};
  std::vector<std::string> include = {};
};

namespace detail {

/// The members of a flow as slots, in order of declaration.
template <class Flow>
auto slots_of(Flow& flow) {
  return []<std::size_t... I>([[maybe_unused]] auto addresses, std::index_sequence<I...>) {
    return std::array<Slot*, sizeof...(I)>{address_of<I>(addresses)...};
  }
  (member_addresses(flow), std::make_index_sequence<member_count<Flow>()>());
}

template <class Flow>
void bind_slots(Flow& flow, const TaskView& view) {
  const auto slots = slots_of(flow);
  for (std::size_t i = 0; i < slots.size(); ++i) SlotAccess::bind(*slots[i], view, member_names<Flow>[i]);
}

/// Of what the members of one join's flow object are made, and what was merged into it.
struct JoinState {
  TaskContext& task;
  std::string flow_name;
  /// Names of artifacts without a member that were merged.
  std::set<std::string> merged = {};
};

[[noreturn]] void throw_no_such_input(const JoinState& join, std::string_view step);
[[noreturn]] void throw_no_such_input(const JoinState& join, std::size_t index);
/// The last input that comes from this step.
std::optional<std::size_t> find_input(const TaskContext& task, std::string_view step);
void merge(JoinState& join, std::span<Slot* const> slots, const MergeOptions& options);

/// One task before a join, its artifacts as members of a flow object.
template <class Flow>
struct Branch {
  Flow flow{};
  TaskView view;
};

template <class Flow>
struct InputSet {
  explicit InputSet(JoinState state)
      : join(std::move(state)), branches(join.task.input_count()), made(branches.size()) {}

  const Flow& branch(std::size_t i) {
    if (i >= branches.size()) throw_no_such_input(join, i);
    made[i].run([&] {
      auto branch = std::make_unique<Branch<Flow>>();
      const auto& source = join.task.input(i);
      branch->view = {&source, join.flow_name, source.step_name(), &source.foreach_stack()};
      bind_slots(branch->flow, branch->view);
      branches[i] = std::move(branch);
    });
    return branches[i]->flow;
  }

  JoinState join;
  std::vector<std::unique_ptr<Branch<Flow>>> branches;
  std::vector<Once> made;
};

}  // namespace detail

/// What a join gets: one read-only flow object for each task before it, in split order for a foreach, in the order of
/// the split's targets for a static split. Their artifacts are loaded on first use.
///
/// Cheap to copy; valid, as all it hands out, while the join runs. May be used from several threads.
template <class Flow>
class Inputs {
 public:
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Flow;
    using difference_type = std::ptrdiff_t;
    using pointer = const Flow*;
    using reference = const Flow&;

    iterator() = default;
    iterator(const Inputs* inputs, std::size_t index) : inputs_(inputs), index_(index) {}
    reference operator*() const { return (*inputs_)[index_]; }
    pointer operator->() const { return &**this; }
    iterator& operator++() {
      ++index_;
      return *this;
    }
    iterator operator++(int) {
      auto before = *this;
      ++*this;
      return before;
    }
    bool operator==(const iterator&) const = default;

   private:
    const Inputs* inputs_ = nullptr;
    std::size_t index_ = 0;
  };
  using const_iterator = iterator;

  explicit Inputs(std::shared_ptr<detail::InputSet<Flow>> set) : set_(std::move(set)) {}

  std::size_t size() const { return set_->branches.size(); }
  iterator begin() const { return {this, 0}; }
  iterator end() const { return {this, size()}; }

  /// Error(not_found) when there are fewer.
  const Flow& operator[](std::size_t index) const { return set_->branch(index); }
  const Flow& at(std::size_t index) const { return set_->branch(index); }

  /// Whether one of the inputs comes from this step: not from one that a switch has passed by.
  bool has(std::string_view step) const { return detail::find_input(set_->join.task, step).has_value(); }
  /// The input from this step, the last one when there are several; Error(not_found) when there is none.
  const Flow& at(std::string_view step) const {
    const auto found = detail::find_input(set_->join.task, step);
    if (!found) detail::throw_no_such_input(set_->join, step);
    return set_->branch(*found);
  }
  const Flow& operator[](std::string_view step) const { return at(step); }
  /// The same, for a step of the flow: `inputs.from<&Films::left>()`.
  template <auto Step>
  const Flow& from() const {
    return at(detail::name_of<Step>);
  }

  /// `run/step/task` of an input.
  std::string pathspec(std::size_t index) const { return source(index).task_pathspec(); }
  std::string step_name(std::size_t index) const { return source(index).step_name(); }
  /// Foreach frames around an input, outermost first.
  const std::vector<ForeachFrame>& foreach_stack(std::size_t index) const { return source(index).foreach_stack(); }
  /// An input's position in its innermost foreach, nothing outside one.
  std::optional<std::int64_t> index(std::size_t index) const {
    const auto& stack = foreach_stack(index);
    if (stack.empty()) return std::nullopt;
    return stack.back().index;
  }

 private:
  template <class F>
  friend void merge_artifacts(F& flow, const Inputs<F>& inputs, const MergeOptions& options);

  const ArtifactSource& source(std::size_t index) const {
    if (index >= size()) detail::throw_no_such_input(set_->join, index);
    return set_->join.task.input(index);
  }

  std::shared_ptr<detail::InputSet<Flow>> set_;
};

/// Takes over, in a join, all artifacts on which the inputs agree, without loading them; those without a member in the
/// struct too. What `flow` has already is left as it is, so set what the inputs disagree on first:
///
///     total = sum_of(inputs);
///     mf::merge_artifacts(*this, inputs);
///     mf::merge_artifacts(*this, inputs, {.exclude = {"scratch"}});
///
/// Error(conflict) that names all artifacts on which inputs differ, Error(not_found) all names in `include` that no
/// input has, Error(invalid) when both lists are given; then nothing was taken over.
template <class Flow>
void merge_artifacts(Flow& flow, const Inputs<Flow>& inputs, const MergeOptions& options = {}) {
  const auto slots = detail::slots_of(flow);
  detail::merge(inputs.set_->join, slots, options);
}

}  // namespace metaflow
