#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <metaflow/model.hpp>

namespace metaflow::model {

/// One entry of `graph_structure`: a step's name, or the branches of the split before it, each a list of entries.
struct StructureEntry {
  std::variant<std::string, std::vector<StructureEntry>> content;

  bool operator==(const StructureEntry&) const = default;
};

/// What follows from the steps of a flow: who comes before and after whom, and which join ends which split.
///
/// Steps are meant by their index in Flow::steps. Keeps a reference to the flow, which has to outlive it and stay as it
/// is, and which `check` has to have accepted. Never changes: safe to use from several threads.
class Graph {
 public:
  using Index = std::size_t;
  using Indices = std::vector<Index>;

  explicit Graph(const Flow& flow);

  const Flow& flow() const { return flow_; }
  std::size_t size() const { return flow_.steps.size(); }
  const Step& step(Index i) const { return flow_.steps[i]; }
  /// Nothing when no step has this name.
  std::optional<Index> find(std::string_view name) const;
  /// Error(not_found) that lists the steps when none has this name.
  Index at(std::string_view name) const;

  /// The marked step, else the one called `start`, else the only one.
  Index start() const { return start_; }
  /// The marked step, else the one called `end`, else the only one.
  Index end() const { return end_; }
  const std::string& start_name() const { return step(start_).name; }
  const std::string& end_name() const { return step(end_).name; }

  /// Each once, in the order written.
  const Indices& successors(Index i) const { return nodes_[i].successors; }
  /// Each once, in the order of Flow::steps. A step that repeats itself is among its own.
  const Indices& predecessors(Index i) const { return nodes_[i].predecessors; }
  /// From start to end, each step after all its predecessors; branches in the order written.
  const Indices& topological_order() const { return order_; }

  bool is_join(Index i) const { return step(i).takes == Takes::branches; }
  /// Whether it opens branches that a join has to end: static split, foreach, parallel.
  bool is_split(Index i) const;
  /// Whether it is a switch that may choose itself.
  bool is_recursive(Index i) const;
  /// Where the branches of a split meet; nothing for other steps.
  std::optional<Index> matching_join(Index split) const { return nodes_[split].matching_join; }
  /// The split whose branches a join ends; nothing for other steps.
  std::optional<Index> matching_split(Index join) const { return nodes_[join].matching_split; }
  /// Splits open around a step, outermost first; for a join the one it ends is the last of them.
  const Indices& split_parents(Index i) const { return nodes_[i].split_parents; }
  /// One for each of split_parents: the target of that split through which one comes here. For a join, the first of
  /// the branches that meet.
  const Indices& split_branches(Index i) const { return nodes_[i].split_branches; }

  /// Node kind as `_graph_info` shows it: `start`, `linear`, `join`, `end`, `split-static`, `split-foreach`,
  /// `split-parallel`, `split-switch`.
  std::string_view type_name(Index i) const;
  /// `['start', [['a'], ['b']], 'join', 'end']`: see docs/formats. Where switches follow one another, the steps that
  /// they share stand in each of their branches; no more than `max_structure_names` names are written.
  std::vector<StructureEntry> structure() const;
  static constexpr std::size_t max_structure_names = 10'000;

 private:
  struct Node {
    Indices successors, predecessors, split_parents, split_branches;
    std::optional<Index> matching_join, matching_split;
  };

  void connect();
  void sort();
  void match();
  std::vector<StructureEntry> block(Index from, std::optional<Index> until, std::size_t& names_left) const;

  const Flow& flow_;
  Index start_ = 0, end_ = 0;
  std::vector<Node> nodes_;
  Indices order_;
};

}  // namespace metaflow::model
