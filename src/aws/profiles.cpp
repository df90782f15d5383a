#include "aws/profiles.hpp"

#include "base/files.hpp"

namespace metaflow::aws {
namespace {

std::string expanded(const std::string& path, const std::string& home) {
  return path == "~" || path.starts_with("~/") ? home + path.substr(1) : path;
}

IniFile read_ini(const std::string& path) {
  const auto text = read_text_file(path);
  return text ? parse_ini(*text, path) : IniFile();
}

std::optional<ProfileValue> find(const IniFile& file, const std::string& section, const std::string& name,
                                 const std::string& path) {
  const auto place = file.find(section);
  if (place == file.end()) return std::nullopt;
  const auto value = place->second.values.find(name);
  if (value == place->second.values.end()) return std::nullopt;
  return ProfileValue{value->second.text, path, value->second.line, value->second.block};
}

/// `x y` of a section `KIND "x y"`; nothing for a section of another kind.
std::optional<std::string> name_after(std::string_view section, std::string_view kind) {
  if (!section.starts_with(kind)) return std::nullopt;
  section.remove_prefix(kind.size());
  const auto first = section.find_first_not_of(" \t");
  if (first == 0 || first == std::string_view::npos) return std::nullopt;
  section.remove_prefix(first);
  const auto quote = section.front();
  if ((quote == '"' || quote == '\'') && section.size() > 1 && section.back() == quote)
    section = section.substr(1, section.size() - 2);
  return std::string(section);
}

}  // namespace

std::optional<std::string> variable(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  if (found == environment.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

std::string ProfileValue::place() const { return "'" + file + "' line " + std::to_string(line); }

Profiles::Profiles(const Environment& environment, const std::string& home)
    : config_path_(expanded(variable(environment, "AWS_CONFIG_FILE").value_or("~/.aws/config"), home)),
      credentials_path_(
          expanded(variable(environment, "AWS_SHARED_CREDENTIALS_FILE").value_or("~/.aws/credentials"), home)),
      config_(read_ini(config_path_)),
      credentials_(read_ini(credentials_path_)) {
  for (const auto& [section, content] : config_) {
    if (const auto name = name_after(section, "profile")) config_profiles_[*name] = section;
    if (section == "default") config_profiles_.try_emplace(section, section);
  }
}

bool Profiles::has(const std::string& profile) const {
  return config_profiles_.contains(profile) || credentials_.contains(profile);
}

std::optional<ProfileValue> Profiles::value(const std::string& profile, const std::string& name) const {
  if (auto value = credentials_value(profile, name)) return value;
  return config_value(profile, name);
}

std::optional<ProfileValue> Profiles::credentials_value(const std::string& profile, const std::string& name) const {
  return find(credentials_, profile, name, credentials_path_);
}

std::optional<ProfileValue> Profiles::config_value(const std::string& profile, const std::string& name) const {
  const auto section = config_profiles_.find(profile);
  if (section == config_profiles_.end()) return std::nullopt;
  return find(config_, section->second, name, config_path_);
}

std::optional<ProfileValue> Profiles::section_value(const std::string& kind, const std::string& section,
                                                    const std::string& name) const {
  for (const auto& [title, content] : config_)
    if (name_after(title, kind) == section) return find(config_, title, name, config_path_);
  return std::nullopt;
}

ProfileChoice choose_profile(const Environment& environment) {
  const auto wanted = variable(environment, "AWS_PROFILE");
  const auto older = variable(environment, "AWS_DEFAULT_PROFILE");
  if (!wanted && !older) return {};
  ProfileChoice choice{.name = wanted ? *wanted : *older, .is_default = false};
  if (wanted && older && *wanted != *older)
    choice.warnings.push_back("AWS_PROFILE names '" + *wanted + "' and AWS_DEFAULT_PROFILE '" + *older +
                              "'; the first is used here, boto3 uses the second");
  return choice;
}

}  // namespace metaflow::aws
