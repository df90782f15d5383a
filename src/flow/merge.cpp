#include <algorithm>
#include <array>
#include <map>

#include <metaflow/error.hpp>
#include <metaflow/inputs.hpp>

namespace metaflow::detail {
namespace {

/// What the engine keeps about each task under names of its own; never merged.
constexpr std::array<std::string_view, 17> engine_names{"name",
                                                        "_current_step",
                                                        "_success",
                                                        "_task_ok",
                                                        "_exception",
                                                        "_transition",
                                                        "_foreach_stack",
                                                        "_foreach_var",
                                                        "_foreach_num_splits",
                                                        "_foreach_values",
                                                        "_iteration_stack",
                                                        "_graph_info",
                                                        "_configs_processed",
                                                        "_unbounded_foreach",
                                                        "_parallel_ubf_iter",
                                                        "_control_mapper_tasks",
                                                        "_control_task_is_mapper_zero"};

template <class Names>
bool contains(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != std::ranges::end(names);
}

std::string list(const std::set<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "'" : ", '") + name + "'";
  return text;
}

/// The first input that has an artifact, and what it has there.
struct Candidate {
  const ArtifactSource* source = nullptr;
  ArtifactReference reference;
};

class Merge {
 public:
  Merge(JoinState& join, std::span<Slot* const> slots, const MergeOptions& options)
      : join_(join), slots_(slots), options_(options) {}

  void collect() {
    for (std::size_t i = 0; i < join_.task.input_count(); ++i) {
      const auto& input = join_.task.input(i);
      if (options_.include.empty()) {
        for (const auto& name : input.names())
          if (!contains(engine_names, name) && !contains(options_.exclude, name)) consider(input, name);
      } else {
        for (const auto& name : options_.include) consider(input, name);
      }
    }
  }

  void check() const {
    if (!conflicts_.empty())
      throw Error(ErrorCode::conflict,
                  "the inputs of this join have different values for " + list(conflicts_) +
                      ": set each of them before merge_artifacts, or list them in .exclude",
                  "Unhandled artifacts in merge");
    std::set<std::string> missing;
    for (const auto& name : options_.include)
      if (!candidates_.contains(name) && !is_present(name)) missing.insert(name);
    if (!missing.empty())
      throw Error(ErrorCode::not_found,
                  "no input of this join has the artifacts " + list(missing) + " named in .include",
                  "Missing artifacts in merge");
  }

  void apply() {
    for (const auto& [name, candidate] : candidates_) {
      const auto slot = std::ranges::find(slots_, name, &name_of_slot);
      if (slot != slots_.end()) {
        SlotAccess::pass(**slot, *candidate.source, SlotAccess::name(**slot));
      } else {
        join_.task.pass(name, candidate.reference);
        join_.merged.insert(name);
      }
    }
  }

 private:
  static std::string_view name_of_slot(const Slot* slot) { return SlotAccess::name(*slot); }

  /// Whether the join has it already: set, merged before, a parameter or a constant.
  bool is_present(const std::string& name) const {
    const auto slot = std::ranges::find(slots_, name, &name_of_slot);
    if (slot != slots_.end()) return !SlotAccess::is_artifact(**slot) || SlotAccess::has_value(**slot);
    return join_.merged.contains(name) || join_.task.inherited().find(name).has_value();
  }

  void consider(const ArtifactSource& input, const std::string& name) {
    if (is_present(name)) return;
    auto reference = input.find(name);
    if (!reference) return;
    const auto known = candidates_.find(name);
    if (known == candidates_.end())
      candidates_.emplace(name, Candidate{&input, std::move(*reference)});
    else if (known->second.reference.key != reference->key)
      conflicts_.insert(name);
  }

  JoinState& join_;
  std::span<Slot* const> slots_;
  const MergeOptions& options_;
  std::map<std::string, Candidate> candidates_;
  std::set<std::string> conflicts_;
};

}  // namespace

std::optional<std::size_t> find_input(const TaskContext& task, std::string_view step) {
  for (auto i = task.input_count(); i-- > 0;)
    if (task.input(i).step_name() == step) return i;
  return std::nullopt;
}

void throw_no_such_input(const JoinState& join, std::string_view step) {
  std::set<std::string> steps;
  for (std::size_t i = 0; i < join.task.input_count(); ++i) steps.insert(join.task.input(i).step_name());
  throw Error(ErrorCode::not_found,
              "this join has no input from step '" + std::string(step) + "'; its inputs come from " + list(steps));
}

void throw_no_such_input(const JoinState& join, std::size_t index) {
  throw Error(ErrorCode::not_found, "this join has no input number " + std::to_string(index) + ": it has " +
                                        std::to_string(join.task.input_count()) + ", counted from 0");
}

void merge(JoinState& join, std::span<Slot* const> slots, const MergeOptions& options) {
  if (!options.include.empty() && !options.exclude.empty())
    throw Error(ErrorCode::invalid, "merge_artifacts takes either .include or .exclude, not both");
  Merge merge(join, slots, options);
  merge.collect();
  merge.check();
  merge.apply();
}

}  // namespace metaflow::detail
