#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments.hpp"

namespace metaflow::cli {

/// `Usage: movies run [OPTIONS]`. `program` is what the user typed up to the command.
std::string usage_line(std::string_view program, const Command& command);

/// What `--help` prints: usage, description, parameters, options and commands, 80 columns wide.
/// `environment_prefix` names the variables that stand in for options; `commands` is for programs that have some.
std::string help_text(std::string_view program, const Command& command, std::string_view environment_prefix,
                      const std::vector<Command>& commands = {});

/// Text in lines of at most `width` columns, each after `indent` spaces but the first; paragraphs and lines that are
/// indented already are kept.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width = 80);

/// Columns a text takes, as far as its characters are one column wide.
std::size_t column_count(std::string_view utf8);

}  // namespace metaflow::cli
