#include "model/graph.hpp"

#include <algorithm>

#include <metaflow/error.hpp>

namespace metaflow::model {
namespace {

Graph::Index endpoint(const Flow& flow, bool Step::*mark, std::string_view usual_name) {
  const auto& steps = flow.steps;
  auto found = std::ranges::find_if(steps, [&](const Step& step) { return step.*mark; });
  if (found == steps.end()) found = std::ranges::find(steps, usual_name, &Step::name);
  if (found == steps.end() && steps.size() == 1) found = steps.begin();
  if (found == steps.end())
    throw Error(ErrorCode::invalid, "flow " + flow.name + " has no " + std::string(usual_name) + " step");
  return static_cast<Graph::Index>(found - steps.begin());
}

void add_once(Graph::Indices& list, Graph::Index i) {
  if (std::ranges::find(list, i) == list.end()) list.push_back(i);
}

}  // namespace

Graph::Graph(const Flow& flow)
    : flow_(flow),
      start_(endpoint(flow, &Step::marked_start, "start")),
      end_(endpoint(flow, &Step::marked_end, "end")),
      nodes_(flow.steps.size()) {
  connect();
  sort();
  match();
}

std::optional<Graph::Index> Graph::find(std::string_view name) const {
  const auto found = std::ranges::find(flow_.steps, name, &Step::name);
  if (found == flow_.steps.end()) return std::nullopt;
  return static_cast<Index>(found - flow_.steps.begin());
}

Graph::Index Graph::at(std::string_view name) const {
  if (const auto index = find(name)) return *index;
  std::string names;
  for (const auto i : order_) names += (names.empty() ? "" : ", ") + step(i).name;
  throw Error(ErrorCode::not_found,
              "flow " + flow_.name + " has no step '" + std::string(name) + "'; its steps are: " + names);
}

bool Graph::is_split(Index i) const {
  const auto transition = step(i).transition;
  return transition == Transition::split || transition == Transition::foreach || transition == Transition::parallel;
}

bool Graph::is_recursive(Index i) const {
  return std::ranges::find(nodes_[i].successors, i) != nodes_[i].successors.end();
}

void Graph::connect() {
  for (Index i = 0; i < size(); ++i)
    for (const auto& target : step(i).next) {
      const auto to = at(target);
      add_once(nodes_[i].successors, to);
      add_once(nodes_[to].predecessors, i);
    }
}

/// Depth first with the last branch first; what is finished last comes first.
void Graph::sort() {
  std::vector<char> seen(size());
  struct Visit {
    Index step;
    std::size_t branches_left;
  };
  std::vector<Visit> path{{start_, nodes_[start_].successors.size()}};
  seen[start_] = true;
  while (!path.empty()) {
    auto& visit = path.back();
    if (visit.branches_left == 0) {
      order_.push_back(visit.step);
      path.pop_back();
      continue;
    }
    const auto next = nodes_[visit.step].successors[--visit.branches_left];
    if (seen[next]) continue;
    seen[next] = true;
    path.push_back({next, nodes_[next].successors.size()});
  }
  std::ranges::reverse(order_);
}

/// A step stands within the splits of whoever leads to it, one more below a split, one less after a join.
void Graph::match() {
  for (const auto i : order_) {
    Node& node = nodes_[i];
    const auto before = std::ranges::find_if(node.predecessors, [&](Index p) { return p != i; });
    if (before == node.predecessors.end()) continue;
    const Node& previous = nodes_[*before];
    node.split_parents = previous.split_parents;
    node.split_branches = previous.split_branches;
    if (is_join(*before) && !node.split_parents.empty()) {
      node.split_parents.pop_back();
      node.split_branches.pop_back();
    }
    if (is_split(*before)) {
      node.split_parents.push_back(*before);
      node.split_branches.push_back(i);
    }
    if (is_join(i) && !node.split_parents.empty()) {
      node.matching_split = node.split_parents.back();
      nodes_[*node.matching_split].matching_join = i;
    }
  }
}

std::string_view Graph::type_name(Index i) const {
  if (i == end_) return "end";
  switch (step(i).transition) {
    case Transition::split:
      return "split-static";
    case Transition::foreach:
      return "split-foreach";
    case Transition::parallel:
      return "split-parallel";
    case Transition::switch_on:
      return "split-switch";
    case Transition::none:
    case Transition::invalid:
    case Transition::linear:
      break;
  }
  if (i == start_) return "start";
  return is_join(i) ? "join" : "linear";
}

std::vector<StructureEntry> Graph::structure() const {
  auto names_left = max_structure_names;
  auto entries = block(start_, end_, names_left);
  entries.push_back({step(end_).name});
  return entries;
}

std::vector<StructureEntry> Graph::block(Index from, std::optional<Index> until, std::size_t& names_left) const {
  std::vector<StructureEntry> entries;
  std::optional<Index> at = from;
  while (at && at != until && names_left > 0) {
    const auto here = *at;
    --names_left;
    entries.push_back({step(here).name});
    const bool is_switch = step(here).transition == Transition::switch_on;
    // The one step of a gang stands in line with its neighbours.
    const bool is_gang = step(here).transition == Transition::parallel;
    if (is_switch || (is_split(here) && !is_gang)) {
      // The ways out of a switch never meet in a join: each is followed to where the block ends.
      at = is_switch ? until : matching_join(here);
      std::vector<StructureEntry> branches;
      for (const auto next : successors(here))
        if (next != here) branches.push_back({block(next, at, names_left)});
      entries.push_back({std::move(branches)});
    } else {
      at = successors(here).empty() ? std::nullopt : std::optional(successors(here).front());
    }
  }
  return entries;
}

}  // namespace metaflow::model
