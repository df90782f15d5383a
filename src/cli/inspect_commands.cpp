#include <sstream>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "model/check.hpp"
#include "model/graph.hpp"
#include "model/step_settings.hpp"

namespace metaflow::cli {
namespace {

std::string place(const model::Finding& finding) {
  if (finding.source_file.empty()) return "";
  const auto file = " in file " + finding.source_file;
  return finding.line == 0 ? file : fmt::format("{} on line {}", file, finding.line);
}

std::string indented(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) out += "    " + line + '\n';
  return out;
}

std::string description(const model::Graph& graph, model::Graph::Index i) {
  const auto& step = graph.step(i);
  std::string text;
  for (const auto& decorator : step.decorators) text += '@' + decorator.name + '\n';
  text += "Step " + step.name + '\n' + indented(step.documentation.empty() ? "?" : step.documentation);
  std::vector<std::string> next;
  for (const auto successor : graph.successors(i)) next.push_back(graph.step(successor).name);
  if (!next.empty()) text += fmt::format("    => {}\n", fmt::join(next, ", "));
  return text;
}

void require_valid_decorators(const model::Flow& flow) {
  for (const auto& step : flow.steps) model::step_settings(step);
}

}  // namespace

void require_valid(const model::Flow& flow) {
  const auto findings = model::check(flow);
  if (findings.empty()) return require_valid_decorators(flow);
  std::string message;
  for (const auto& finding : findings) message += (message.empty() ? "" : "\n") + finding.message;
  throw Error(ErrorCode::invalid, message, "Validity checker found an issue" + place(findings.front()));
}

void validate_flow(const model::Flow& flow, const Console& console) {
  console.echo("Checking the flow...");
  require_valid(flow);
  console.echo("    The graph is sound.", Style::good);
}

void describe_check(Command& command, const FlowProgram&) {
  command.options = {
      {.name = "warnings", .kind = OptionKind::flag, .off_name = "no-warnings", .visibility = Visibility::accepted}};
}

int execute_check(Invocation& invocation) {
  validate_flow(invocation.program.flow, invocation.console);
  const auto& script = invocation.script;
  invocation.console.echo(
      fmt::format("\n'{0} show' describes this flow.\n'{0} run' runs it on this machine.\n"
                  "'{0} help' lists all commands.\n",
                  script));
  return 0;
}

int execute_show(Invocation& invocation) {
  const auto& flow = invocation.program.flow;
  require_valid(flow);
  const model::Graph graph(flow);
  invocation.console.echo('\n' + flow.documentation + '\n');
  for (const auto i : graph.topological_order()) print(description(graph, i));
  return 0;
}

}  // namespace metaflow::cli
