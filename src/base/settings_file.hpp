#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"

/// Files of settings: one flat JSON object each, with keys that begin with METAFLOW_.
namespace metaflow {

/// What a file says by its keys, as they are written there.
using Settings = std::map<std::string, JsonValue>;

/// Of the text of a file, `path`. Error(invalid) with line and column when it is no JSON, or no object.
Settings parse_settings(const std::string& text, const std::string& path);
/// The same of the file; nothing when there is no such file.
std::optional<Settings> read_settings(const std::string& path);
/// The value of a setting as text: a string as it is, anything else as JSON. Nothing for null.
std::optional<std::string> setting_text(const JsonValue& value);

/// Sorted, indented by 4, pure ASCII: to the byte what official Metaflow writes.
std::string settings_document(const Settings& settings);
/// Replaces the file at once, by one that only its owner may read. A link stays, and what it leads to is replaced.
void write_settings(const std::string& path, const Settings& settings);

/// The folder of configurations: $METAFLOW_HOME, else ~/.metaflowconfig.
std::string settings_folder();
/// The profile named by METAFLOW_PROFILE; empty: the one without a name.
std::string active_profile();
/// `config.json` in that folder, or `config_<profile>.json`. Error(invalid) for a name that no file can have.
std::string profile_file(std::string_view profile);

}  // namespace metaflow
