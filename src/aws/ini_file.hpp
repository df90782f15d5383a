#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

/// The files `~/.aws/config` and `~/.aws/credentials`.
///
///     file    = { line }
///     line    = "[" section "]" | key ( "=" | ":" ) value | indented | comment | blank
///     comment = ( "#" | ";" ) anything             a whole line; within a value these signs are the value's
///     indented= whitespace text                    further in than the key above: goes on with its value; below a key
///                                                  without a value each is `key = value` of a block of that name (`s3 =`)
namespace metaflow::aws {

struct IniValue {
  std::string text;
  int line = 0;
  /// Of a block: its settings.
  std::map<std::string, std::string> block = {};
};

struct IniSection {
  int line = 0;
  std::map<std::string, IniValue> values;  ///< by name, in lower case
};

using IniFile = std::map<std::string, IniSection>;

/// Error(invalid) that names `file`, the line and what to do when it has another form, or says something twice.
IniFile parse_ini(std::string_view text, std::string_view file);

}  // namespace metaflow::aws
