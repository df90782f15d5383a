// A flow put together when it runs, as bindings do: ASSEMBLED names what is
// wrong with it.
#include <cstdlib>
#include <string>
#include <string_view>

#include <metaflow/codec.hpp>
#include <metaflow/task.hpp>

namespace mf = metaflow;
using mf::model::Takes;
using mf::model::Transition;

namespace {

mf::model::Step make_step(const std::string& name, Transition transition, std::vector<std::string> next,
                          Takes takes = Takes::nothing) {
  mf::model::Step step;
  step.name = name;
  step.transition = transition;
  step.next = std::move(next);
  step.takes = takes;
  step.argument_count = takes == Takes::branches ? 1 : 0;
  return step;
}

void add_parameter(mf::FlowProgram& program, const std::string& name) {
  mf::model::Parameter parameter;
  parameter.name = parameter.attribute = name;
  program.flow.parameters.push_back(parameter);
  program.parameters.push_back({[](std::string_view text) { return mf::encode(text); },
                                [](const mf::ParameterContext&) { return std::optional(mf::encode("default")); }});
}

mf::model::Step foreach_step(const std::string& name, const std::string& target) {
  auto step = make_step(name, Transition::foreach, {target});
  step.foreach_artifact = "items";
  return step;
}

std::vector<mf::model::Step> make_steps(std::string_view mistake) {
  const auto end = make_step("end", Transition::none, {});
  if (mistake == "foreach_into_join")
    return {foreach_step("start", "join"), make_step("join", Transition::linear, {"end"}, Takes::branches), end};
  if (mistake == "cycle")
    return {make_step("start", Transition::linear, {"a"}), make_step("a", Transition::linear, {"b"}),
            make_step("b", Transition::linear, {"a"}), end};
  if (mistake == "unreachable")
    return {make_step("start", Transition::linear, {"end"}), make_step("alone", Transition::linear, {"end"}), end};
  if (mistake == "unknown_target") return {make_step("start", Transition::linear, {"jion"}), end};
  if (mistake == "unjoined")
    return {make_step("start", Transition::split, {"a", "b"}), make_step("a", Transition::linear, {"end"}),
            make_step("b", Transition::linear, {"end"}), end};
  if (mistake == "bad_name")
    return {make_step("start", Transition::linear, {"Bad-Name"}), make_step("Bad-Name", Transition::linear, {"end"}),
            end};
  return {make_step("start", Transition::linear, {"end"}), end};
}

}  // namespace

int main(int argc, char** argv) {
  const char* set = std::getenv("ASSEMBLED");
  const std::string_view mistake = set == nullptr ? "" : set;
  mf::FlowProgram program;
  program.flow.name = "Assembled";
  program.flow.steps = make_steps(mistake);
  add_parameter(program, mistake == "reserved_parameter" ? "tag" : "alpha");
  if (mistake == "twins") add_parameter(program, "Alpha");
  program.run_step = [](std::size_t, mf::TaskContext& task) {
    const mf::NamedArtifact answer[] = {{"answer", mf::encode(42)}};
    task.store(answer);
    return mf::StepResult();
  };
  return mf::run_command_line(program, argc, argv);
}
