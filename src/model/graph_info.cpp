#include "model/graph_info.hpp"

#include <filesystem>

#include "base/json.hpp"

namespace metaflow::model {
namespace {

using Pairs = std::vector<Value::Pair>;

Value texts(const std::vector<std::string>& list) {
  std::vector<Value> items(list.begin(), list.end());
  return Value::list(std::move(items));
}

Value describe(const Decorator& decorator) {
  Pairs attributes;
  for (const auto& [name, json] : decorator.attributes)
    attributes.emplace_back(name, value_of(nlohmann::json::parse(json)));
  return Value::dict({{"name", decorator.name},
                      {"attributes", Value::dict(std::move(attributes))},
                      {"statically_defined", decorator.statically_defined},
                      {"inserted_by", nullptr}});
}

Value describe(const Graph& graph, Graph::Index i) {
  const auto& step = graph.step(i);
  std::vector<Value> decorators;
  for (const auto& decorator : step.decorators) decorators.push_back(describe(decorator));
  Pairs info = {{"name", step.name},         {"type", std::string(graph.type_name(i))},
                {"line", step.line},         {"source_file", step.source_file},
                {"doc", step.documentation}, {"decorators", Value::list(std::move(decorators))},
                {"next", texts(step.next)},  {"node_info", Value::dict({})}};
  if (step.transition == Transition::foreach) info.emplace_back("foreach_artifact", step.foreach_artifact);
  if (step.transition == Transition::parallel)
    info.emplace_back("num_parallel", step.num_parallel ? Value(*step.num_parallel) : Value());
  if (step.transition == Transition::switch_on) {
    Pairs cases;
    for (const auto& choice : step.cases) cases.emplace_back(choice.value, choice.target);
    info.emplace_back("condition", step.condition);
    info.emplace_back("switch_cases", Value::dict(std::move(cases)));
  }
  if (const auto join = graph.matching_join(i)) info.emplace_back("matching_join", graph.step(*join).name);
  return Value::dict(std::move(info));
}

Value structure(const std::vector<StructureEntry>& entries) {
  std::vector<Value> items;
  for (const auto& entry : entries) {
    if (const auto* name = std::get_if<std::string>(&entry.content))
      items.emplace_back(*name);
    else
      items.push_back(structure(std::get<std::vector<StructureEntry>>(entry.content)));
  }
  return Value::list(std::move(items));
}

/// `ndarray` of `<class 'numpy.ndarray'>`.
std::string plain_type(const std::string& type) {
  const auto end = type.rfind('\'');
  const auto begin = type.find_last_of("'.", end == 0 ? 0 : end - 1);
  return end == type.npos || begin == type.npos ? type : type.substr(begin + 1, end - begin - 1);
}

Value named(const std::string& name, const std::string& type) { return Value::dict({{"name", name}, {"type", type}}); }

}  // namespace

Value graph_info(const Graph& graph) {
  const auto& flow = graph.flow();
  Pairs steps;
  for (Graph::Index i = 0; i < graph.size(); ++i) steps.emplace_back(graph.step(i).name, describe(graph, i));
  std::vector<Value> parameters, constants;
  for (const auto& parameter : flow.parameters)
    parameters.push_back(
        named(parameter.attribute, parameter.kind == ParameterKind::include_file ? "IncludeFile" : "Parameter"));
  for (const auto& constant : flow.constants) constants.push_back(named(constant.name, plain_type(constant.type)));
  return Value::dict({{"file", std::filesystem::path(flow.source_file).filename().string()},
                      {"start_step", graph.start_name()},
                      {"end_step", graph.end_name()},
                      {"parameters", Value::list(std::move(parameters))},
                      {"constants", Value::list(std::move(constants))},
                      {"steps", Value::dict(std::move(steps))},
                      {"graph_structure", structure(graph.structure())},
                      {"doc", flow.documentation},
                      {"decorators", Value::list({})},
                      {"extensions", Value::dict({{"installed", Value::dict({})}})}});
}

}  // namespace metaflow::model
