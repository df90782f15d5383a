#include "capi/description.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "base/base64.hpp"
#include "capi/json_reader.hpp"

namespace metaflow::capi {
namespace {

/// Of an option: what can be told from a value, and from what follows `--name=`.
std::string option_name(const Member& member) {
  auto name = member.text();
  const auto fits = [](unsigned char c) {
    return c > ' ' && c != 0x7f && std::string_view("=:{}'\"`/\\").find(static_cast<char>(c)) == std::string_view::npos;
  };
  if (name.empty() || name.front() == '-' || name.front() == '!' || !std::ranges::all_of(name, fits))
    member.refuse("is no name of an option");
  return name;
}

/// Of a flow or an artifact: they become names of files.
std::string file_name(const Member& member) {
  auto name = member.text();
  constexpr std::size_t longest = 200;
  const bool is_plain = name.find('/') == name.npos && name.find('\0') == name.npos && name != "." && name != "..";
  if (name.empty() || name.size() > longest || !is_plain) member.refuse("is no name that can be stored");
  return name;
}

/// Of a file in an archive: relative, and in no other place when that is unpacked.
std::string package_name(const Member& member) {
  auto name = member.text();
  const std::filesystem::path path(name);
  const bool leaves = std::ranges::find(path, "..") != path.end();
  if (name.empty() || path.is_absolute() || leaves || name.find('\0') != name.npos)
    member.refuse("is no name of a file in a package");
  return name;
}

model::Decorator decorator(const Member& member) {
  Object object(member);
  model::Decorator decorator{.name = object.at("name").text(), .attributes = {}};
  if (const auto attributes = object.find("attributes")) {
    if (!attributes->json.is_object()) attributes->refuse("should be an object");
    for (const auto& [name, value] : attributes->json.items()) decorator.attributes.emplace_back(name, value.dump());
  }
  decorator.statically_defined = object.flag_or("static", true);
  object.refuse_others();
  return decorator;
}

model::SwitchCase switch_case(const Member& member) {
  Object object(member);
  model::SwitchCase choice{.value = object.at("value").text(), .target = object.at("target").text()};
  object.refuse_others();
  return choice;
}

model::Takes takes(Object& object) {
  using model::Takes;
  const auto member = object.find("takes");
  return member ? member->one_of<Takes>(
                      {{"nothing", Takes::nothing}, {"item", Takes::item}, {"branches", Takes::branches}})
                : Takes::nothing;
}

model::Transition transition(Object& object) {
  using model::Transition;
  return object.at("transition")
      .one_of<Transition>({{"none", Transition::none},
                           {"invalid", Transition::invalid},
                           {"linear", Transition::linear},
                           {"split", Transition::split},
                           {"foreach", Transition::foreach},
                           {"parallel", Transition::parallel},
                           {"switch", Transition::switch_on}});
}

std::optional<int> num_parallel(Object& object) {
  const auto member = object.find("num_parallel");
  if (!member || member->is_null()) return std::nullopt;
  return static_cast<int>(member->integer(0, std::numeric_limits<int>::max()));
}

model::Step step(const Member& member) {
  Object object(member);
  model::Step step;
  step.name = object.at("name").text();
  step.takes = takes(object);
  step.argument_count = static_cast<int>(object.integer_or("argument_count", 0, -1));
  step.transition = transition(object);
  step.next = object.texts_or_none("next");
  step.foreach_artifact = object.text_or("foreach_artifact");
  step.condition = object.text_or("condition");
  for (const auto& each : object.items_or_none("cases")) step.cases.push_back(switch_case(each));
  step.num_parallel = num_parallel(object);
  step.marked_start = object.flag_or("start", false);
  step.marked_end = object.flag_or("end", false);
  step.documentation = object.text_or("documentation");
  step.source_file = object.text_or("source_file");
  step.line = static_cast<int>(object.integer_or("line", 0, 0));
  step.transition_line = static_cast<int>(object.integer_or("transition_line", 0, 0));
  for (const auto& each : object.items_or_none("decorators")) step.decorators.push_back(decorator(each));
  object.refuse_others();
  return step;
}

model::Parameter parameter(const Member& member) {
  using model::ParameterKind;
  Object object(member);
  model::Parameter parameter;
  parameter.name = option_name(object.at("name"));
  const auto attribute = object.find("attribute");
  parameter.attribute = attribute ? file_name(*attribute) : parameter.name;
  if (const auto kind = object.find("kind"))
    parameter.kind =
        kind->one_of<ParameterKind>({{"value", ParameterKind::value}, {"include_file", ParameterKind::include_file}});
  parameter.type_name = object.text_or("type_name", "TEXT");
  parameter.help = object.text_or("help");
  parameter.required = object.flag_or("required", false);
  parameter.default_text = object.optional_text("default_text");
  parameter.is_text = object.flag_or("is_text", true);
  object.refuse_others();
  return parameter;
}

model::Constant constant(const Member& member) {
  Object object(member);
  model::Constant constant{.name = file_name(object.at("name")), .type = object.at("type").text(), .pickle = {}};
  const auto pickle = object.at("pickle");
  auto bytes = decode_base64(pickle.text());
  if (!bytes) pickle.refuse("is no base64");
  constant.pickle = *std::move(bytes);
  object.refuse_others();
  return constant;
}

FlowOption option(const Member& member) {
  using Kind = FlowOption::Kind;
  Object object(member);
  FlowOption option;
  option.name = option_name(object.at("name"));
  if (const auto kind = object.find("kind"))
    option.kind = kind->one_of<Kind>(
        {{"text", Kind::text}, {"flag", Kind::flag}, {"repeated", Kind::repeated}, {"pairs", Kind::pairs}});
  option.type_name = object.text_or("type_name", "TEXT");
  option.help = object.text_or("help");
  if (const auto off = object.find("off_name"); off && !off->text().empty()) option.off_name = option_name(*off);
  option.variable = object.text_or("variable");
  object.refuse_others();
  return option;
}

ScriptCode script_code(const Member& member) {
  Object object(member);
  ScriptCode code{.suffixes = object.texts_or_none("suffixes"), .files = {}, .information = {}};
  for (const auto& each : object.items_or_none("files")) {
    Object file(each);
    code.files.emplace_back(package_name(file.at("name")), file.at("path").text());
    file.refuse_others();
  }
  if (const auto information = object.find("information")) {
    if (!information->json.is_object()) information->refuse("should be an object");
    for (const auto& [name, value] : information->json.items())
      code.information.emplace_back(name, Member{value, "code.information." + name, member.what}.text());
  }
  object.refuse_others();
  return code;
}

LanguageBinding binding(Object& object) {
  LanguageBinding binding;
  for (const auto& each : object.items_or_none("options")) binding.options.push_back(option(each));
  binding.system_tags = object.texts_or_none("system_tags");
  binding.command = object.texts_or_none("command");
  binding.script = object.text_or("script");
  if (const auto isolation = object.find("isolation"))
    binding.spawns_tasks = isolation->one_of<bool>({{"fork", false}, {"spawn", true}});
  if (const auto code = object.find("code")) binding.code = script_code(*code);
  binding.interrupts_itself = object.flag_or("interrupts_itself", false);
  binding.has_opaque_values = true;
  return binding;
}

}  // namespace

FlowProgram read_description(std::string_view json) {
  const std::string what = "The description of the flow";
  const auto document = read_json(json, what);
  Object object(Member{document, {}, what});
  FlowProgram program;
  auto& flow = program.flow;
  flow.name = file_name(object.at("name"));
  flow.documentation = object.text_or("documentation");
  flow.source_file = object.text_or("source_file");
  for (const auto& each : object.at("steps").items()) flow.steps.push_back(step(each));
  for (const auto& each : object.items_or_none("parameters")) flow.parameters.push_back(parameter(each));
  for (const auto& each : object.items_or_none("constants")) flow.constants.push_back(constant(each));
  program.binding = binding(object);
  object.refuse_others();
  return program;
}

}  // namespace metaflow::capi
