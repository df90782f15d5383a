#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace metaflow {

/// What the names of all settings begin with, in the environment and in files.
inline constexpr std::string_view setting_prefix = "METAFLOW_";
/// The whole name there of the setting NAME.
std::string setting_key(std::string_view name);

/// How the text of a setting is read: `flag` is false for `0`, `false` and nothing, in any case, and true otherwise; `json`
/// is an object or a list.
enum class SettingKind { text, flag, integer, json };

/// What a setting is about; the headings under which they are listed.
enum class SettingTopic { stores, s3, batch, flows, identity, service, schedulers, other_clouds, tracing };

/// One setting that this program or official Metaflow knows. Names are without METAFLOW_.
struct KnownSetting {
  std::string_view name;
  SettingKind kind = SettingKind::text;
  std::string_view fallback;  ///< what holds when it is set nowhere, as text; empty: nothing
  std::string_view meaning;   ///< one line
  SettingTopic topic = SettingTopic::flows;
};

/// All of them, by topic.
std::span<const KnownSetting> known_settings();
/// Null when there is none of that name.
const KnownSetting* find_known_setting(std::string_view name);
std::string_view topic_title(SettingTopic topic);

/// Whether the value must not be shown; of names that are not known, what they look like decides.
bool is_secret_setting(std::string_view name);

/// What is wrong with `text` as the value of a setting, to be put behind its name: `should be a whole number, not 'x'`. Nothing
/// when it can be read.
std::optional<std::string> mistake_in_value(const KnownSetting& setting, const std::string& text);

/// The text of a flag, see SettingKind.
bool flag_of(std::string_view text);

/// Whether METAFLOW_<name> is a variable, not a setting, that Metaflow's own programs give each other, or that stands in for
/// an option of a command or a parameter of a flow.
bool is_own_variable(std::string_view name);

}  // namespace metaflow
