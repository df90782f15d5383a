#include "cli/help_text.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace metaflow::cli {
namespace {

constexpr std::size_t help_column = 32;

std::string row(const std::string& left, const std::string& help) {
  std::string text = "  " + left;
  if (help.empty()) return text + '\n';
  const auto width = column_count(text);
  text += width + 2 > help_column ? '\n' + std::string(help_column, ' ') : std::string(help_column - width, ' ');
  return text + wrapped(help, help_column) + '\n';
}

std::string option_row(const Option& option) {
  std::string left = option.short_name.empty() ? "" : "-" + option.short_name + ", ";
  left += "--" + option.name;
  if (!option.off_name.empty()) left += " / --" + option.off_name;
  if (option.kind != OptionKind::flag)
    left += ' ' + (option.choices.empty() ? option.type : fmt::format("[{}]", fmt::join(option.choices, "|")));
  std::string help = option.help;
  const auto note = [&](const std::string& text) { help += (help.empty() ? "" : "  ") + text; };
  if (option.kind != OptionKind::flag && option.default_text) note("[default: " + *option.default_text + "]");
  if (option.required) note("[required]");
  return row(left, help);
}

std::string option_rows(const Command& command, bool parameters) {
  std::string text;
  for (const auto& option : command.options)
    if (option.is_parameter == parameters && option.visibility == Visibility::shown) text += option_row(option);
  return text;
}

std::string indented(std::string_view text) { return "  " + wrapped(text, 2) + '\n'; }

std::string environment_note(const Command& command, std::string_view prefix) {
  if (prefix.empty()) return "";
  std::string example = "METAFLOW_QUIET=1 for --quiet";
  if (!command.name.empty() && !command.options.empty())
    example = command.options.front().environment_variable(prefix) + " for --" + command.options.front().name;
  return command.options.empty()
             ? ""
             : "\n" + wrapped("Environment variables stand in for options: " + example + ".", 0) + "\n";
}

}  // namespace

std::size_t column_count(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  std::string out;
  std::size_t column = indent;
  std::size_t position = 0;
  const auto break_line = [&] {
    out += '\n' + std::string(indent, ' ');
    column = indent;
  };
  while (position < text.size()) {
    if (text[position] == '\n') {
      break_line();
      ++position;
      continue;
    }
    const auto start = std::min(text.find_first_not_of(' ', position), text.size());
    const auto end = std::min(text.find_first_of(" \n", start), text.size());
    const auto spaces = start - position;
    const auto word = text.substr(start, end - start);
    if (!word.empty() && column > indent && column + spaces + column_count(word) > width) {
      break_line();
    } else {
      out.append(spaces, ' ');
      column += spaces;
    }
    out += word;
    column += column_count(word);
    position = end;
  }
  // A line that is blank is empty.
  std::string trimmed;
  for (const char c : out) {
    if (c == '\n') trimmed.erase(trimmed.find_last_not_of(' ') + 1);
    trimmed += c;
  }
  return trimmed;
}

std::string usage_line(std::string_view program, const Command& command) {
  std::string line = fmt::format("Usage: {}", program);
  if (!command.name.empty()) line += ' ' + command.name;
  line += " [OPTIONS]";
  if (command.name.empty()) return line + " COMMAND [ARGS]...";
  for (const auto& argument : command.arguments)
    if (!argument.name.empty())
      line += (argument.required ? ' ' + argument.name : " [" + argument.name + ']') + (argument.repeated ? "..." : "");
  return line;
}

std::string help_text(std::string_view program, const Command& command, std::string_view environment_prefix,
                      const std::vector<Command>& commands) {
  std::string text = usage_line(program, command) + "\n";
  const auto& about = command.description.empty() ? command.summary : command.description;
  if (!about.empty()) text += '\n' + indented(about);
  if (const auto rows = option_rows(command, true); !rows.empty()) text += "\nParameters:\n" + rows;
  text += "\nOptions:\n" + option_rows(command, false) + row("--help", "Show this message and exit.");
  if (!commands.empty()) text += "\nCommands:\n";
  for (const auto& each : commands) text += fmt::format("  {:<12}  {}\n", each.name, each.summary);
  return text + environment_note(command, environment_prefix);
}

}  // namespace metaflow::cli
