#include "cli/settings_check.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/known_settings.hpp"
#include "cli/suggestion.hpp"

namespace metaflow::cli {
namespace {

/// A setting that asks for something that is not built, as any value of it does, or one value.
struct NotBuilt {
  std::string_view name;
  std::string_view value;  ///< empty: any
  std::string_view what;
  const char* option;  ///< given before the command, it settles the matter
};
constexpr std::array not_built = {
    NotBuilt{"DEFAULT_METADATA", "service", "a metadata service", "metadata"},
    NotBuilt{"SERVICE_URL", "", "a metadata service", "metadata"},
    NotBuilt{"DEFAULT_DATASTORE", "azure", "a datastore in Azure", "datastore"},
    NotBuilt{"DATASTORE_SYSROOT_AZURE", "", "a datastore in Azure", "datastore"},
    NotBuilt{"AZURE_STORAGE_BLOB_SERVICE_ENDPOINT", "", "a datastore in Azure", "datastore"},
    NotBuilt{"DEFAULT_DATASTORE", "gs", "a datastore at Google", "datastore"},
    NotBuilt{"DATASTORE_SYSROOT_GS", "", "a datastore at Google", "datastore"},
};

void refuse_what_is_not_built(const Configuration& configuration, const Arguments& top) {
  for (const auto& each : not_built) {
    if (top.given(each.option)) continue;
    const auto value = configuration.find(each.name);
    if (!value || value->text.empty() || value->origin == SettingOrigin::fallback) continue;
    if (!each.value.empty() && value->text != each.value) continue;
    throw Error(ErrorCode::invalid,
                fmt::format("METAFLOW_{} ({}) asks for {}, which is not available in this version: remove it, or put "
                            "--{} local before the command.",
                            each.name, value->described_place(), each.what, each.option),
                "Invalid configuration");
  }
}

void refuse_unreadable_values(const Configuration& configuration) {
  for (const auto& known : known_settings()) {
    if (known.kind == SettingKind::text) continue;
    const auto values = configuration.all_values(known.name);
    if (values.empty()) continue;
    if (const auto mistake = mistake_in_value(known, values.front().text))
      throw Error(ErrorCode::invalid,
                  fmt::format("METAFLOW_{} ({}) {}.", known.name, values.front().described_place(), *mistake),
                  "Invalid configuration");
  }
}

}  // namespace

std::vector<std::string> mistyped_settings(const Configuration& configuration) {
  std::vector<std::string> names;
  for (const auto& known : known_settings()) names.emplace_back(known.name);
  std::vector<std::string> lines;
  for (const auto& source : configuration.sources())
    for (const auto& [key, value] : source.values) {
      const bool has_prefix = key.starts_with(setting_prefix);
      const auto name = has_prefix ? std::string_view(key).substr(setting_prefix.size()) : std::string_view(key);
      const bool is_known = find_known_setting(name) != nullptr;
      if (has_prefix && (is_known || is_own_variable(name))) continue;
      const auto meant = is_known ? std::string(name) : slip_in(name, names);
      if (meant.empty()) continue;
      lines.push_back(fmt::format("{} ({}) means nothing. Did you mean 'METAFLOW_{}'?", key,
                                  source.path.empty() ? "in the environment" : source.path, meant));
    }
  return lines;
}

void check_settings(const Configuration& configuration, const Arguments& top, const Console& console) {
  for (const auto& line : mistyped_settings(configuration)) console.echo(line, Style::highlight);
  refuse_what_is_not_built(configuration, top);
  refuse_unreadable_values(configuration);
}

}  // namespace metaflow::cli
