#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace metaflow {

/// Value of setting NAME (without METAFLOW_): environment `METAFLOW_<NAME>`, then `config.json` of the nearest ancestor
/// folder with a
/// `.metaflow`, then the home configuration (`$METAFLOW_HOME`, profile-dependent). Nothing when unset everywhere.
/// Non-string JSON values come as JSON text. Error(invalid) for a damaged file or a named profile without file.
std::optional<std::string> setting(std::string_view name);

/// Who says what a setting is, in order of precedence.
enum class SettingOrigin { environment, project_file, profile_file, fallback };

/// A value of a setting, and where it was set.
struct SettingValue {
  std::string text;
  SettingOrigin origin = SettingOrigin::fallback;
  std::string path;  ///< of the file, if it is of one

  /// `in the environment`, `/home/ann/.metaflowconfig/config.json`, `default`.
  std::string described_place() const;
};

/// All settings at one moment: each file is read once.
class Configuration {
 public:
  /// That of this process. Error(invalid) for a damaged file or a named profile without file.
  static Configuration read();
  /// The same with another profile; no file of it is fine.
  static Configuration read_profile(std::string_view profile);

  /// What holds for a setting; a known one has its default when nobody sets it, if that is not empty.
  std::optional<SettingValue> find(std::string_view name) const;
  /// All who set it, the one that holds first.
  std::vector<SettingValue> all_values(std::string_view name) const;
  std::optional<std::string> text(std::string_view name) const;
  /// As its known kind says. Error(invalid) that names the place when the text is not of that kind.
  bool flag(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  /// Items of a list of strings in JSON.
  std::vector<std::string> list(std::string_view name) const;

  /// One that sets something: the environment's names with METAFLOW_ alone.
  struct Source {
    SettingOrigin origin;
    std::string path;                           ///< empty for the environment
    std::map<std::string, std::string> values;  ///< by the whole name
  };
  /// In order of precedence; files that are there alone.
  const std::vector<Source>& sources() const { return sources_; }

 private:
  void add_file(SettingOrigin origin, const std::string& path);

  std::vector<Source> sources_;
};

/// `$HOME`, else what the user database says.
std::string home_directory();

/// How the local datastore root was found.
struct LocalRoot {
  std::string path;     ///< absolute path of the `.metaflow` folder
  bool exists = false;  ///< false: writers make it (one mkdir) and say so
  /// Its owner, when that is not the user of this process: to be said once before it is believed.
  std::string foreign_owner = {};
};
/// METAFLOW_DATASTORE_SYSROOT_LOCAL + `/.metaflow`, else the nearest ancestor of the working directory that holds a
/// `.metaflow` folder (its real path), else `.metaflow` in the working directory. Error(invalid) when a `.metaflow` in
/// the way is not a folder.
LocalRoot find_local_root();

/// The same for what `spin` leaves: METAFLOW_DATASTORE_SYSROOT_SPIN and folders called `.metaflow_spin`.
LocalRoot find_spin_root();
/// Name of such a folder; the type of a datastore in it is `spin`.
inline constexpr std::string_view spin_folder_name = ".metaflow_spin";

}  // namespace metaflow
