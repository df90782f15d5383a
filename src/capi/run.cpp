#include <memory>

#include "base/json.hpp"
#include "capi/child_run.hpp"
#include "capi/guard.hpp"
#include "capi/json_reader.hpp"

struct metaflow_run {
  metaflow::capi::ChildRun child;
};

namespace metaflow::capi {
namespace {

/// Of a program's words and variables: these end with a zero byte.
std::string plain_text(const Member& member) {
  auto text = member.text();
  if (text.find('\0') != text.npos) member.refuse("has a zero byte inside");
  return text;
}

ChildOptions read_options(std::string_view text) {
  const std::string what = "The options of the run";
  const auto json = read_json(text, what);
  Object object(Member{json, {}, what});
  ChildOptions options;
  const auto arguments = object.at("arguments");
  for (const auto& word : arguments.items()) options.words.push_back(plain_text(word));
  if (options.words.empty()) arguments.refuse("should begin with a program");
  if (const auto folder = object.find("folder")) options.folder = plain_text(*folder);
  if (const auto environment = object.find("environment")) {
    if (!environment->json.is_object()) environment->refuse("should be an object");
    for (const auto& [name, value] : environment->json.items()) {
      const Member variable{value, "environment." + name, what};
      if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != name.npos)
        variable.refuse("is no name of a variable");
      options.variables.emplace_back(
          name, variable.is_null() ? std::nullopt : std::optional<std::string>(plain_text(variable)));
    }
  }
  object.refuse_others();
  return options;
}

std::string event_json(const ChildOutput& output) {
  return JsonObject().text("event", "output").text("stream", output.stream).text("text", output.text).take();
}

std::string event_json(const ChildAttributes& attributes) {
  auto json = parse_json(attributes.json, "the attribute file");
  if (!json.is_object()) json = JsonValue::object();
  json["event"] = "attributes";
  return dump_json(json);
}

std::string event_json(const ChildEnd& end) {
  return JsonObject().text("event", "ended").number("code", end.code).number("signal", end.signal).take();
}

}  // namespace
}  // namespace metaflow::capi

using namespace metaflow::capi;

metaflow_status metaflow_run_start(const char* options_json, metaflow_run** run, metaflow_error** error) {
  return guarded(error, [&] {
    const auto options = read_options(required_text(options_json, "options_json"));
    required(run, "run") = new metaflow_run{ChildRun(options)};
  });
}

metaflow_status metaflow_run_poll(metaflow_run* run, int timeout_ms, metaflow_buffer** json, metaflow_error** error) {
  return guarded(error, [&] {
    auto& result = required(json, "json");
    const auto timeout = timeout_ms < 0 ? std::nullopt : std::optional(std::chrono::milliseconds(timeout_ms));
    const auto event = required(run, "run").child.poll(timeout);
    result = new_text(event ? std::visit([](const auto& any) { return event_json(any); }, *event)
                            : std::string(R"({"event": "none"})"));
  });
}

metaflow_status metaflow_run_cancel(metaflow_run* run, metaflow_error** error) {
  return guarded(error, [&] { required(run, "run").child.cancel(); });
}

void metaflow_run_free(metaflow_run* run) { delete run; }
