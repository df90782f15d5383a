#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace metaflow {

/// Value of setting NAME (without METAFLOW_): environment `METAFLOW_<NAME>`, then `config.json` of the nearest ancestor
/// folder with a
/// `.metaflow`, then the home configuration (`$METAFLOW_HOME`, profile-dependent). Nothing when unset everywhere.
/// Non-string JSON values come as JSON text. Error(invalid) for a damaged file or a named profile without file.
std::optional<std::string> setting(std::string_view name);
/// Value of METAFLOW_NAME in the text of one configuration file, `path`.
std::optional<std::string> setting_in_file(std::string_view text, const std::string& path, std::string_view name);

/// Whether a setting of that kind is on: when it is neither empty, `0` nor `false`. `otherwise` when it is unset.
bool is_switched_on(std::string_view name, bool otherwise);

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
