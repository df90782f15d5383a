#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "cli/commands.hpp"
#include "cli/execution.hpp"
#include "runtime/resume.hpp"

namespace metaflow::cli {
namespace {

/// Numbers are the ids that runs get by themselves; the rest is what a path and a pathspec can hold.
std::optional<std::string> new_run_id(const Arguments& own) {
  const auto id = own.optional_text("run-id");
  if (!id) return std::nullopt;
  const auto is_digit = [](unsigned char c) { return std::isdigit(c) != 0; };
  const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; };
  if (std::all_of(id->begin(), id->end(), is_digit))
    throw Error(ErrorCode::invalid,
                fmt::format("The run id '{}' must not be a number: those are made from the time.", *id),
                "Invalid command");
  if (!std::all_of(id->begin(), id->end(), fits) || std::isalnum(static_cast<unsigned char>(id->front())) == 0)
    throw Error(ErrorCode::invalid,
                fmt::format("The run id '{}' must begin with a letter or digit and hold nothing but letters, digits, "
                            "'-', '_' and '.'.",
                            *id),
                "Invalid command");
  return id;
}

std::string origin_run(const Invocation& invocation, const metadata::Metadata& metadata) {
  if (const auto given = invocation.own.optional_text("origin-run-id")) return *given;
  if (const auto latest = metadata.latest_run(invocation.flow_name())) return *latest;
  throw Error(ErrorCode::not_found,
              fmt::format("No run of {} is known here that could be resumed. Name one with --origin-run-id, or start "
                          "in the folder where it ran.",
                          invocation.flow_name()),
              "Invalid command");
}

/// Who this process is among several that resume into one run; nothing for one that works alone.
std::optional<std::string> resume_identifier(const Arguments& own) {
  if (!own.flag("reentrant")) return std::nullopt;
  for (const auto* needed : {"run-id", "resume-identifier", "clone-only"})
    if (!own.given(needed))
      throw Error(ErrorCode::usage,
                  fmt::format("--reentrant needs --{}: several processes clone into one run, and one of them does it.",
                              needed));
  return own.text("resume-identifier");
}

}  // namespace

void describe_resume(Command& command, const FlowProgram& program) {
  command.description =
      "Continue a run: a new run takes over what an earlier one finished, its parameters too, and executes the rest. "
      "STEP-TO-RERUN and all steps after it are executed in any case.";
  command.arguments = {{"STEP-TO-RERUN", false}};
  add_execution_options(command, program);
  const auto add = [&](Option option) { command.options.push_back(std::move(option)); };
  add({.name = "origin-run-id", .help = "The run to continue, instead of the latest one started with 'run'."});
  add({.name = "run-id", .help = "Id of the new run.", .visibility = Visibility::accepted});
  add({.name = "clone-only", .kind = OptionKind::flag, .visibility = Visibility::accepted});
  add({.name = "reentrant", .kind = OptionKind::flag, .visibility = Visibility::accepted});
  add({.name = "resume-identifier", .visibility = Visibility::accepted});
}

int execute_resume(Invocation& invocation) {
  Execution execution(invocation, find_roots(invocation, false));
  auto options = run_options(invocation, execution.roots().records, metadata::current_identity().name_space());
  options.run_id = new_run_id(invocation.own);
  const auto identifier = resume_identifier(invocation.own);
  options.reopens_run = identifier.has_value();
  validate_flow(execution.program().flow, invocation.console);
  auto stores = execution.make_stores();
  const runtime::ResumeOptions resume{.origin_run = origin_run(invocation, stores.metadata()),
                                      .step = invocation.own.argument(0),
                                      .clone_only = invocation.own.flag("clone-only"),
                                      .identifier = identifier};
  return runtime::resume_flow(execution.program(), options, resume, stores.both(), execution.launcher(),
                              system_clock());
}

}  // namespace metaflow::cli
