#pragma once

#include <optional>
#include <type_traits>

#include <metaflow/artifact.hpp>
#include <metaflow/codec.hpp>
#include <metaflow/constant.hpp>
#include <metaflow/detail/program.hpp>
#include <metaflow/graph.hpp>
#include <metaflow/inputs.hpp>
#include <metaflow/parameter.hpp>
#include <metaflow/task.hpp>

/// Everything a flow needs. A flow is a plain struct: artifacts, parameters and constants as data members, steps as member
/// functions, the graph declared by `graph()`; docs/flow-api.md shows all of it. A flow that breaks a rule does not
/// compile.
///
///     #include <metaflow/flow.hpp>
///     namespace mf = metaflow;
///
///     struct Hello {
///       mf::Parameter<std::string> who{"world", "Whom to greet"};
///       mf::Artifact<std::string> greeting;
///
///       void start() { greeting = "Hello, " + *who; }
///       void end() { std::puts(greeting->c_str()); }
///
///       static constexpr auto graph() {
///         return mf::graph(mf::step<&Hello::start>().to<&Hello::end>(), mf::step<&Hello::end>());
///       }
///     };
///     int main(int argc, char** argv) { return mf::main<Hello>(argc, argv); }
namespace [[gnu::visibility("default")]] metaflow {

/// The flow and its code as plain values, for those who want to run it themselves.
template <class Flow>
FlowProgram program() {
  static_assert(detail::check_flow<Flow>());
  return detail::make_program<Flow>();
}

/// The command line of the flow (`run`, `show`, …); returns the exit code of the process. Never throws.
template <class Flow>
int main(int argc, char** argv) {
  return run_command_line(program<Flow>(), argc, argv);
}

/// The item of the foreach over this artifact or parameter that the task works on, also in steps after the first one
/// of a branch; works on `*this` and on the inputs of a join. Nothing outside that foreach, or when the artifact is not
/// visible here, as in an inner join before merging. Loads the container.
///
///     const auto genre = mf::item<&Films::genres>(*this);
template <auto Over, class Flow>
auto item(const Flow& flow) {
  using Item = typename detail::ItemOf<detail::HeldBy<Over>>::Type;
  std::optional<Item> found;
  const auto* view = detail::SlotAccess::task(flow.*Over);
  const auto* frame = view ? detail::find_frame(*view, detail::name_of<Over>) : nullptr;
  if (frame && view->source->find(frame->variable)) found = detail::read_item<Item>(*view, *frame);
  return found;
}

}  // namespace metaflow
