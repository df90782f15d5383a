#include "model/check.hpp"

#include <algorithm>
#include <deque>
#include <string_view>

#include <metaflow/check.hpp>
#include <metaflow/detail/names.hpp>

namespace metaflow::model {
namespace {

using Names = std::vector<std::string_view>;

StepView view_of(const Step& step, const Names& next) {
  StepView view;
  view.name = step.name;
  view.takes = step.takes;
  view.argument_count = step.argument_count;
  view.transition = step.transition;
  view.next = next;
  view.has_condition = !step.condition.empty();
  view.case_count = step.cases.size();
  view.num_parallel = step.num_parallel;
  view.marked_start = step.marked_start;
  view.marked_end = step.marked_end;
  view.is_parallel = std::ranges::find(step.decorators, "parallel", &Decorator::name) != step.decorators.end();
  return view;
}

/// `a->b->a`: the shortest way from a step back to itself.
std::string cycle_path(const Flow& flow, const std::string& from) {
  std::deque<std::vector<std::string>> paths{{from}};
  std::vector<std::string> seen;
  while (!paths.empty()) {
    const auto path = paths.front();
    paths.pop_front();
    const auto step = std::ranges::find(flow.steps, path.back(), &Step::name);
    if (step == flow.steps.end()) continue;
    for (const auto& next : step->next) {
      // A switch may choose itself.
      if (next == step->name && step->transition == Transition::switch_on) continue;
      if (next == from) {
        std::string text;
        for (const auto& name : path) text += name + "->";
        return text + from;
      }
      if (std::ranges::find(seen, next) != seen.end()) continue;
      seen.push_back(next);
      paths.push_back(path);
      paths.back().push_back(next);
    }
  }
  return from;
}

std::string quoted(const std::string& name) { return "'" + name + "'"; }

/// The sentence for a rule about the graph. `a` and `b` are what Rule says of step and other, in quotes.
std::string sentence(Rule rule, const std::string& a, const std::string& b) {
  switch (rule) {
    case Rule::reserved_step_name:
      return "Step name " + a + " is reserved. Choose another name for the step.";
    case Rule::duplicate_step:
      return "There are two steps named " + a + ". Rename one of them.";
    case Rule::no_start:
      return "The flow has no first step. Name one step 'start', or mark one as the start.";
    case Rule::several_starts:
      return "Steps " + b + " and " + a + " are both marked as the start. Exactly one can be: remove one mark.";
    case Rule::no_end:
      return "The flow has no last step. Name one step 'end', or mark one as the end.";
    case Rule::several_ends:
      return "Steps " + b + " and " + a + " are both marked as the end. Exactly one can be: remove one mark.";
    case Rule::ambiguous_start:
      return "Step " + a + " is marked as the start, but there is also a step named " + b +
             ". Remove the mark or rename that step.";
    case Rule::ambiguous_end:
      return "Step " + a + " is marked as the end, but there is also a step named " + b +
             ". Remove the mark or rename that step.";
    case Rule::start_has_predecessor:
      return "Step " + b + " leads to the first step " + a + ", which nothing may lead to. Remove that transition.";
    case Rule::end_has_transition:
      return "The last step " + a + " has a transition. Remove it: nothing comes after the last step.";
    case Rule::end_takes_inputs:
      return "The last step " + a + " takes inputs. Put a join before it that ends the branches.";
    case Rule::step_name:
      return "Step name " + a +
             " is not usable. Names of steps are made of lowercase letters a-z, digits and underscores, and begin with "
             "no underscore.";
    case Rule::missing_self:
      return "Step " + a + " takes no arguments. It has to take the flow itself.";
    case Rule::too_many_arguments:
      return "Step " + a + " takes too many arguments. Beside the flow, only a join takes one: its inputs.";
    case Rule::join_splits:
      return "Step " + a + " joins and splits at once. Let it join only, and split in a step of its own after it.";
    case Rule::missing_transition:
      return "Step " + a + " has no transition. Say as the last thing where it goes.";
    case Rule::invalid_transition:
      return "The transition of step " + a +
             " has none of the known forms. A step goes to one step; or splits into two or more; or runs one step for "
             "each item (foreach) or as a gang (num_parallel, 1 to 10,000); or lets an artifact choose one of several "
             "(a switch, with text, numbers or booleans as cases).";
    case Rule::unknown_target:
      return "Step " + a + " leads to " + b + ", which is not a step of the flow. Add that step or correct the name.";
    case Rule::repeated_target:
      return "Step " + a + " splits into step " + b + " twice. Name each branch once.";
    case Rule::unreachable:
      return "Step " + a + " is unreachable from the start. Lead a step to it or remove it.";
    case Rule::foreach_into_join:
      return "The foreach of step " + a + " leads straight into the join " + b + ". Put a step between them.";
    case Rule::item_without_foreach:
      return "Step " + a + " takes an item, but " +
             (b.empty() ? "it is the first step" : "step " + b + " leads to it") +
             " without a foreach. Only the step right after a foreach takes an item.";
    case Rule::join_without_split:
      return "Step " + a + " is a join, but " + (b.empty() ? "nothing" : "step " + b) +
             " leads to it outside any open split. Remove its inputs, or split before it.";
    case Rule::mixed_lineages:
      return "Step " + a + " joins branches of different splits: the one through step " + b +
             " was opened elsewhere. Join each split in a step of its own.";
    case Rule::missing_branch:
      return "Step " + a + " does not join all branches of its split: the one that begins with step " + b +
             " does not reach it. Lead that branch to the same join.";
    case Rule::branches_meet:
      return "Branches of the split in step " + b + " meet in step " + a +
             ", which is not a join. Let it take inputs, or join the branches before it.";
    case Rule::unjoined_split:
      return "The split in step " + a + " is still open when the flow ends in step " + b +
             ". Add a join that ends its branches.";
    case Rule::switch_cases:
      return "The switch in step " + a +
             " has fewer than two cases. Give it two or more, or go on to one step plainly.";
    case Rule::switch_condition:
      return "The switch in step " + a + " has no condition. Name the artifact whose value chooses the case.";
    case Rule::parallel_target:
      return "Step " + a + " starts step " + b +
             " with num_parallel, but that one is not marked as parallel. Add the "
             "decorator 'parallel' to it.";
    case Rule::parallel_not_joined:
      return "Step " + a + " is parallel, so the step after it has to be a join, but step " + b + " is none.";
    case Rule::parallel_by_others:
      return "Step " + a + " is parallel, but step " + b +
             " leads to it without num_parallel. Say how many tasks to "
             "start.";
    case Rule::nested_foreach:
      return "Step " + a + " begins a foreach inside another one, which is not supported here.";
    case Rule::switch_into_join:
      return "The switch in step " + a + " leads straight into the join " + b +
             ", so that it is unclear what is joined. Put a step between them.";
    case Rule::none:
    case Rule::cycle:
    case Rule::reserved_parameter:
    case Rule::duplicate_parameter:
      break;
  }
  return {};
}

std::string rule_name(Rule rule) { return std::string(detail::enumerator_name(rule)); }

/// Where to look: at the transition for what is wrong with that, else at the step.
int line_of(const Step& step, Rule rule) {
  const bool is_about_transition = rule == Rule::invalid_transition || rule == Rule::unknown_target ||
                                   rule == Rule::repeated_target || rule == Rule::cycle;
  return is_about_transition && step.transition_line > 0 ? step.transition_line : step.line;
}

/// Whether the place to look at is the second of the two steps: where branches end, not where they begin.
bool is_seen_at_other(Rule rule) { return rule == Rule::unjoined_split || rule == Rule::switch_into_join; }

Finding describe(const Flow& flow, Verdict verdict) {
  Finding finding;
  finding.rule = rule_name(verdict.rule);
  if (verdict.step >= 0) {
    const auto& step = flow.steps[static_cast<std::size_t>(verdict.step)];
    finding.step = step.name;
    const auto& shown =
        flow.steps[static_cast<std::size_t>(is_seen_at_other(verdict.rule) ? verdict.other : verdict.step)];
    finding.source_file = shown.source_file;
    finding.line = line_of(shown, verdict.rule);
    if (verdict.other >= 0) {
      const auto other = static_cast<std::size_t>(verdict.other);
      const bool is_target = verdict.rule == Rule::unknown_target || verdict.rule == Rule::repeated_target;
      finding.other = is_target ? step.next[other] : flow.steps[other].name;
    }
  }
  if (finding.source_file.empty()) finding.source_file = flow.source_file;
  if (verdict.rule == Rule::cycle) {
    finding.other = cycle_path(flow, finding.step);
    finding.message = "The graph has a cycle: " + finding.other +
                      ". Remove one of these transitions; only a switch may lead back to its own step.";
    return finding;
  }
  finding.message = sentence(verdict.rule, finding.step.empty() ? "" : quoted(finding.step),
                             finding.other.empty() ? "" : quoted(finding.other));
  return finding;
}

Finding describe_parameter(const Flow& flow, Verdict verdict) {
  Finding finding;
  finding.rule = rule_name(verdict.rule);
  finding.source_file = flow.source_file;
  const auto& name = flow.parameters[static_cast<std::size_t>(verdict.step)].name;
  if (verdict.rule == Rule::reserved_parameter) {
    finding.message = "Parameter name '" + name + "' is reserved for an option. Choose another name for the parameter.";
  } else {
    finding.other = flow.parameters[static_cast<std::size_t>(verdict.other)].name;
    finding.message = "Parameters '" + finding.other + "' and '" + name +
                      "' have the same name on the command line, where capitals and underscores do not tell names "
                      "apart. Rename one of them.";
  }
  return finding;
}

}  // namespace

std::vector<Finding> check(const Flow& flow) {
  std::vector<Names> next;
  std::vector<StepView> views;
  next.reserve(flow.steps.size());  // views refer to its elements
  for (const auto& step : flow.steps)
    views.push_back(view_of(step, next.emplace_back(step.next.begin(), step.next.end())));
  const Names parameters = [&] {
    Names names;
    for (const auto& parameter : flow.parameters) names.emplace_back(parameter.name);
    return names;
  }();
  if (const auto found = check_parameters(parameters); found.rule != Rule::none)
    return {describe_parameter(flow, found)};
  if (const auto found = check_graph(views); found.rule != Rule::none) return {describe(flow, found)};
  return {};
}

}  // namespace metaflow::model
