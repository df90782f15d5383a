#include "capi/flow.hpp"

#include <cstring>
#include <set>

#include "base/json.hpp"
#include "capi/description.hpp"
#include "capi/guard.hpp"
#include "cli/commands.hpp"
#include "model/check.hpp"

namespace metaflow::capi {
namespace {

/// Names that a parser cannot tell apart.
void require_distinct(const cli::Command& command, std::string_view what) {
  std::set<std::string> seen = {"help"};
  for (const auto& option : command.options)
    for (const auto& name : {option.name, option.off_name})
      if (!name.empty() && !seen.insert(name).second)
        throw Error(ErrorCode::invalid, "The description of the flow has a mistake: '--" + name +
                                            "' stands twice among the options of " + std::string(what) +
                                            "; choose another name.");
}

void require_distinct_options(const FlowProgram& program) {
  require_distinct(cli::top_level_options(program), "the program");
  cli::Command run;
  cli::describe_run(run, program);
  require_distinct(run, "the command run");
}

/// As far as the caller knew them; the rest is null.
metaflow_flow_functions known_functions(const metaflow_flow_functions& given) {
  constexpr auto least = offsetof(metaflow_flow_functions, run_step) + sizeof given.run_step;
  if (given.size < least)
    throw Error(ErrorCode::invalid, "The member 'size' of the functions should be sizeof(metaflow_flow_functions).");
  metaflow_flow_functions functions{};
  std::memcpy(&functions, &given, std::min(given.size, sizeof functions));
  if (functions.run_step == nullptr) refuse_null("functions->run_step");
  return functions;
}

void require_parameter_functions(const metaflow_flow& flow) {
  if (flow.program.flow.parameters.empty()) return;
  if (flow.functions.parse_parameter == nullptr) refuse_null("functions->parse_parameter");
  if (flow.functions.default_parameter == nullptr) refuse_null("functions->default_parameter");
}

std::string findings_json(const std::vector<model::Finding>& findings) {
  std::string json = "[";
  for (const auto& finding : findings) {
    if (json.size() > 1) json += ", ";
    json += JsonObject()
                .text("message", finding.message)
                .text("step", finding.step)
                .number("line", finding.line)
                .text("file", finding.source_file)
                .take();
  }
  return json + "]";
}

}  // namespace
}  // namespace metaflow::capi

using namespace metaflow;
using namespace metaflow::capi;

metaflow_status metaflow_flow_new(const char* description_json, const metaflow_flow_functions* functions, void* user,
                                  metaflow_flow** flow, metaflow_error** error) {
  return guarded(error, [&] {
    auto& result = required(flow, "flow");
    auto made = std::make_unique<metaflow_flow>(
        metaflow_flow{read_description(required_text(description_json, "description_json")),
                      known_functions(required(functions, "functions")), user});
    require_parameter_functions(*made);
    bind_functions(*made);
    require_distinct_options(made->program);
    result = made.release();
  });
}

void metaflow_flow_free(metaflow_flow* flow) { delete flow; }

metaflow_status metaflow_flow_check(metaflow_flow* flow, metaflow_buffer** findings, metaflow_error** error) {
  return guarded(error, [&] {
    const auto found = model::check(required(flow, "flow").program.flow);
    required(findings, "findings") = new_text(findings_json(found));
  });
}

int metaflow_flow_command_line(metaflow_flow* flow, int argc, const char* const* argv) {
  try {
    auto& program = required(flow, "flow").program;
    std::vector<std::string> words;
    if (argc > 0) required(argv, "argv");
    for (int i = 0; i < argc; ++i) words.emplace_back(&required(argv[i], "argv"));
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    return run_command_line(program, argc, pointers.data());
  } catch (const std::exception& problem) {
    cli::Console().internal_error(problem.what());
    return 1;
  }
}
