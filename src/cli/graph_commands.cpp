#include <filesystem>

#include <fmt/format.h>

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "model/graph.hpp"
#include "model/step_settings.hpp"

namespace metaflow::cli {
namespace {

using model::Graph;
using OrderedJson = nlohmann::ordered_json;

/// Node kind as the text outputs show it: like `type_name`, with shorter words for two kinds.
std::string_view short_type(const Graph& graph, Graph::Index i) {
  const auto type = graph.type_name(i);
  if (type == "split-static") return "split";
  if (type == "split-foreach" || type == "split-parallel") return "foreach";
  return type;
}

// Graphviz

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string dot_node(const Graph& graph, Graph::Index i) {
  const auto& step = graph.step(i);
  const bool is_switch = step.transition == model::Transition::switch_on;
  std::string label = fmt::format("<b>{}</b> | <font point-size=\"10\">{}</font>", step.name, short_type(graph, i));
  if (is_switch)
    label = fmt::format("<b>{}</b><br/><font point-size=\"9\">switch: {}</font>", step.name, step.condition);
  return fmt::format("\"{}\"[ label = <{}>   fontname = \"Helvetica\"   shape = \"{}\"{} ];\n", step.name, label,
                     is_switch ? "hexagon" : "record",
                     is_switch ? "   style = \"filled\"   fillcolor = \"lightgreen\"" : "");
}

std::string dot_edges(const Graph& graph, Graph::Index i) {
  const auto& step = graph.step(i);
  std::string text;
  for (const auto& each : step.cases)
    text += fmt::format("{} -> {} [label=\"{}\" color=\"blue\" fontcolor=\"blue\"];\n", step.name, each.target,
                        escaped(each.value));
  if (!step.cases.empty()) return text;
  for (const auto next : graph.successors(i)) text += fmt::format("{} -> {};\n", step.name, graph.step(next).name);
  return text;
}

// Text

std::string names(const Graph& graph, const Graph::Indices& indices) {
  std::string text;
  for (const auto i : indices) text += fmt::format("{}[{}]", text.empty() ? "" : ", ", graph.step(i).name);
  return text;
}

const char* python_bool(bool value) { return value ? "True" : "False"; }

std::string or_none(const std::string& text) { return text.empty() ? "None" : text; }

std::string decorators_text(const model::Step& step) {
  std::string text;
  for (const auto& decorator : step.decorators) {
    text += fmt::format("{}{}<{}", text.empty() ? "" : " | ", decorator.name,
                        decorator.statically_defined ? "static" : "cli");
    for (const auto& [name, json] : decorator.attributes) {
      text += fmt::format(" {}={}", name, value_of(parse_json(json, decorator.name)).str());
    }
    text += '>';
  }
  return text;
}

bool is_inside_foreach(const Graph& graph, Graph::Index i) {
  for (const auto parent : graph.split_parents(i))
    if (graph.step(parent).transition != model::Transition::split) return true;
  return false;
}

std::string raw_text(const Graph& graph, Graph::Index i) {
  const auto& step = graph.step(i);
  const auto join = graph.matching_join(i);
  const auto next = names(graph, graph.successors(i));
  const std::vector<std::pair<const char*, std::string>> facts = {
      {"in_funcs", names(graph, graph.predecessors(i))},
      {"out_funcs", next},
      {"split_parents", names(graph, graph.split_parents(i))},
      {"split_branches", names(graph, graph.split_branches(i))},
      {"matching_join", or_none(join ? '[' + graph.step(*join).name + ']' : "")},
      {"is_inside_foreach", python_bool(is_inside_foreach(graph, i))},
      {"decorators", decorators_text(step)},
      {"foreach_param", or_none(step.foreach_artifact)},
      {"condition", or_none(step.condition)},
      {"parallel_step", python_bool(model::step_settings(step).parallel)},
      {"parallel_foreach", python_bool(step.transition == model::Transition::parallel)},
  };
  std::string text =
      fmt::format("[{} {} ({} line {})]\n", step.name, short_type(graph, i), step.source_file, step.line);
  for (const auto& [name, value] : facts) text += fmt::format("    {}={}\n", name, value);
  return text + "    -> " + next + '\n';
}

// JSON

OrderedJson decorator_json(const model::Decorator& decorator) {
  OrderedJson attributes = OrderedJson::object();
  for (const auto& [name, json] : decorator.attributes) attributes[name] = OrderedJson::parse(json);
  return {{"name", decorator.name},
          {"attributes", attributes},
          {"statically_defined", decorator.statically_defined},
          {"inserted_by", nullptr}};
}

OrderedJson step_json(const Graph& graph, Graph::Index i) {
  const auto& step = graph.step(i);
  OrderedJson json = {{"name", step.name},
                      {"type", graph.type_name(i)},
                      {"line", step.line},
                      {"source_file", step.source_file},
                      {"doc", step.documentation},
                      {"decorators", OrderedJson::array()},
                      {"next", OrderedJson::array()},
                      {"node_info", OrderedJson::object()}};
  for (const auto& decorator : step.decorators) json["decorators"].push_back(decorator_json(decorator));
  for (const auto next : graph.successors(i)) json["next"].push_back(graph.step(next).name);
  if (!step.foreach_artifact.empty()) json["foreach_artifact"] = step.foreach_artifact;
  if (step.num_parallel) json["num_parallel"] = *step.num_parallel;
  if (!step.cases.empty()) {
    json["condition"] = step.condition;
    json["switch_cases"] = OrderedJson::object();
    for (const auto& each : step.cases) json["switch_cases"][each.value] = each.target;
  }
  if (const auto join = graph.matching_join(i)) json["matching_join"] = graph.step(*join).name;
  return json;
}

OrderedJson structure_json(const std::vector<model::StructureEntry>& entries) {
  OrderedJson json = OrderedJson::array();
  for (const auto& entry : entries) {
    if (const auto* name = std::get_if<std::string>(&entry.content))
      json.push_back(*name);
    else
      json.push_back(structure_json(std::get<std::vector<model::StructureEntry>>(entry.content)));
  }
  return json;
}

std::string graph_json(const Graph& graph) {
  OrderedJson steps = OrderedJson::object();
  for (const auto i : graph.topological_order()) steps[graph.step(i).name] = step_json(graph, i);
  const OrderedJson json = {{"graph", steps}, {"graph_structure", structure_json(graph.structure())}};
  return json.dump(4, ' ', true, OrderedJson::error_handler_t::replace) + '\n';
}

}  // namespace

int execute_output_dot(Invocation& invocation) {
  require_valid(invocation.program.flow);
  const Graph graph(invocation.program.flow);
  invocation.console.echo("The flow as a graph for Graphviz; for a picture:\n    " + invocation.script +
                          " output-dot | dot -Tpng -o graph.png");
  print("digraph " + invocation.flow_name() + " {\n");
  for (const auto i : graph.topological_order()) print(dot_node(graph, i));
  for (const auto i : graph.topological_order()) print(dot_edges(graph, i));
  print("}\n");
  return 0;
}

void describe_output_raw(Command& command, const FlowProgram&) {
  command.options = {{.name = "json", .kind = OptionKind::flag, .help = "As JSON.", .off_name = "no-json"}};
}

int execute_output_raw(Invocation& invocation) {
  require_valid(invocation.program.flow);
  const Graph graph(invocation.program.flow);
  const bool as_json = invocation.own.flag("json");
  invocation.console.echo(as_json ? "The graph of the flow as JSON:" : "The graph of the flow:");
  if (as_json) print(graph_json(graph));
  if (!as_json)
    for (const auto i : graph.topological_order()) print(raw_text(graph, i));
  return 0;
}

}  // namespace metaflow::cli
