#include "base/configuration.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <metaflow/error.hpp>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/known_settings.hpp"
#include "base/settings_file.hpp"
#include "base/system_error.hpp"

namespace metaflow {
namespace {

constexpr std::string_view folder_name = ".metaflow";
std::optional<std::string> environment(const std::string& name) {
  const auto* value = std::getenv(name.c_str());
  if (!value) return std::nullopt;
  return value;
}

std::string working_directory() {
  char path[4096];
  if (!::getcwd(path, sizeof path)) throw system_error("cannot tell the working directory", errno);
  return path;
}

std::string joined(const std::string& folder, std::string_view name) {
  return (folder == "/" ? "" : folder) + "/" + std::string(name);
}

/// The folder `name` of the working directory or the nearest folder above; nothing when there is none. One that is no
/// folder ends the search for those who would write there.
std::optional<std::string> nearest_folder(std::string_view name) {
  for (auto folder = working_directory();; folder = folder.substr(0, std::max<std::size_t>(folder.rfind('/'), 1))) {
    const auto candidate = joined(folder, name);
    struct stat status {};
    if (::stat(candidate.c_str(), &status) == 0) return candidate;
    if (folder == "/") return std::nullopt;
  }
}

std::optional<std::string> value_in_file(const std::string& path, const std::string& key) {
  const auto settings = read_settings(path);
  if (!settings) return std::nullopt;
  const auto found = settings->find(key);
  return found == settings->end() ? std::nullopt : setting_text(found->second);
}

/// The file of the profile in use, which must be there if it has a name.
std::string active_profile_file() {
  const auto profile = active_profile();
  auto path = profile_file(profile);
  if (!profile.empty() && !file_size(path)) {
    throw Error(ErrorCode::invalid, "profile '" + profile + "' (METAFLOW_PROFILE) has no file '" + path +
                                        "'; make it or unset METAFLOW_PROFILE");
  }
  return path;
}

std::optional<std::string> project_file() {
  const auto folder = nearest_folder(folder_name);
  if (!folder) return std::nullopt;
  return *folder + "/config.json";
}

Configuration::Source environment_source() {
  Configuration::Source source{.origin = SettingOrigin::environment, .path = {}, .values = {}};
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view text = *each;
    const auto equals = text.find('=');
    if (equals != std::string_view::npos && text.starts_with(setting_prefix))
      source.values.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return source;
}

std::string user_name_of(unsigned user_id) {
  const auto* user = ::getpwuid(user_id);
  return user ? user->pw_name : std::to_string(user_id);
}

Error unreadable(const SettingValue& value, std::string_view name, const std::string& mistake) {
  return {ErrorCode::invalid, setting_key(name) + " (" + value.described_place() + ") " + mistake,
          "Invalid configuration"};
}

/// The text of a known setting that has one; Error(invalid) when it is not of the setting's kind.
std::string readable(const Configuration& configuration, std::string_view name) {
  const auto value = configuration.find(name);
  if (!value) return "";
  if (const auto mistake = mistake_in_value(*find_known_setting(name), value->text))
    throw unreadable(*value, name, *mistake);
  return value->text;
}

LocalRoot describe_root(std::string path, std::string_view sysroot_setting) {
  LocalRoot root{.path = std::move(path)};
  struct stat status {};
  if (::stat(root.path.c_str(), &status) != 0) {
    if (errno == ENOENT) return root;
    throw system_error("cannot use '" + root.path + "'", errno);
  }
  if (!S_ISDIR(status.st_mode)) {
    throw Error(ErrorCode::invalid, "'" + root.path +
                                        "' is a file, but runs are stored in a folder of that name; move the file away"
                                        " or set METAFLOW_" +
                                        std::string(sysroot_setting));
  }
  root.exists = true;
  if (status.st_uid != ::geteuid()) root.foreign_owner = user_name_of(status.st_uid);
  return root;
}

LocalRoot find_root(std::string_view name, std::string_view sysroot_setting) {
  if (auto sysroot = setting(sysroot_setting); sysroot && !sysroot->empty()) {
    // Recorded in every artifact, where a path relative to this working directory would mean nothing.
    if (sysroot->front() != '/') sysroot = joined(working_directory(), *sysroot);
    while (sysroot->size() > 1 && sysroot->back() == '/') sysroot->pop_back();
    return describe_root(joined(*sysroot, name), sysroot_setting);
  }
  const auto nearest = nearest_folder(name);
  if (!nearest) return {.path = joined(working_directory(), name)};
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(nearest->c_str(), nullptr), &std::free);
  return describe_root(real ? real.get() : *nearest, sysroot_setting);
}

}  // namespace

std::optional<std::string> setting(std::string_view name) {
  const auto key = setting_key(name);
  if (auto value = environment(key)) return value;
  if (const auto path = project_file()) {
    if (auto value = value_in_file(*path, key)) return value;
  }
  return value_in_file(active_profile_file(), key);
}

std::string SettingValue::described_place() const {
  switch (origin) {
    case SettingOrigin::environment:
      return "in the environment";
    case SettingOrigin::project_file:
    case SettingOrigin::profile_file:
      return path;
    case SettingOrigin::fallback:
      break;
  }
  return "default";
}

Configuration Configuration::read() {
  (void)active_profile_file();
  return read_profile(active_profile());
}

Configuration Configuration::read_profile(std::string_view profile) {
  Configuration configuration;
  configuration.sources_.push_back(environment_source());
  if (const auto path = project_file()) configuration.add_file(SettingOrigin::project_file, *path);
  configuration.add_file(SettingOrigin::profile_file, profile_file(profile));
  return configuration;
}

void Configuration::add_file(SettingOrigin origin, const std::string& path) {
  const auto settings = read_settings(path);
  if (!settings) return;
  Source source{.origin = origin, .path = path, .values = {}};
  for (const auto& [key, value] : *settings)
    if (auto text = setting_text(value)) source.values.emplace(key, std::move(*text));
  sources_.push_back(std::move(source));
}

std::vector<SettingValue> Configuration::all_values(std::string_view name) const {
  const auto key = setting_key(name);
  std::vector<SettingValue> values;
  for (const auto& source : sources_)
    if (const auto found = source.values.find(key); found != source.values.end())
      values.push_back({found->second, source.origin, source.path});
  return values;
}

std::optional<SettingValue> Configuration::find(std::string_view name) const {
  if (auto values = all_values(name); !values.empty()) return values.front();
  const auto* known = find_known_setting(name);
  if (known == nullptr || known->fallback.empty()) return std::nullopt;
  return SettingValue{std::string(known->fallback), SettingOrigin::fallback, ""};
}

std::optional<std::string> Configuration::text(std::string_view name) const {
  const auto value = find(name);
  return value ? std::optional(value->text) : std::nullopt;
}

bool Configuration::flag(std::string_view name) const { return flag_of(text(name).value_or("")); }

std::int64_t Configuration::integer(std::string_view name) const {
  const auto value = readable(*this, name);
  return std::stoll(value);
}

std::vector<std::string> Configuration::list(std::string_view name) const {
  const auto value = readable(*this, name);
  std::vector<std::string> items;
  if (value.empty()) return items;
  for (const auto& item : parse_json(value, name)) {
    if (!item.is_string()) throw unreadable(*find(name), name, "should be a JSON list of strings, not '" + value + "'");
    items.push_back(item.get<std::string>());
  }
  return items;
}

std::string home_directory() {
  if (const auto home = environment("HOME"); home && !home->empty()) return *home;
  const auto* user = ::getpwuid(::geteuid());
  return user ? user->pw_dir : "/";
}

LocalRoot find_local_root() { return find_root(folder_name, "DATASTORE_SYSROOT_LOCAL"); }

LocalRoot find_spin_root() { return find_root(spin_folder_name, "DATASTORE_SYSROOT_SPIN"); }

}  // namespace metaflow
