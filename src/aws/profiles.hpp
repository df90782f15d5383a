#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aws/ini_file.hpp"
#include "network/http_client.hpp"

namespace metaflow::aws {

using network::Environment;

/// Value of a variable; nothing when it is unset or empty.
std::optional<std::string> variable(const Environment& environment, const std::string& name);

/// A setting, and where it stands.
struct ProfileValue {
  std::string text, file;
  int line = 0;
  /// Of a block below the setting (`s3 =`).
  std::map<std::string, std::string> block = {};

  /// `'/home/ada/.aws/config' line 3`
  std::string place() const;
};

/// What both files of a user say about profiles, the credentials file winning. A file that does not exist says nothing.
class Profiles {
 public:
  /// AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, else `~/.aws/config` and `~/.aws/credentials`. Error(invalid) for a damaged one.
  Profiles(const Environment& environment, const std::string& home);

  bool has(const std::string& profile) const;
  /// From both files, or from one of them.
  std::optional<ProfileValue> value(const std::string& profile, const std::string& name) const;
  std::optional<ProfileValue> credentials_value(const std::string& profile, const std::string& name) const;
  std::optional<ProfileValue> config_value(const std::string& profile, const std::string& name) const;
  /// Of a section like `[sso-session NAME]` or `[services NAME]`.
  std::optional<ProfileValue> section_value(const std::string& kind, const std::string& section,
                                            const std::string& name) const;

  const std::string& config_path() const { return config_path_; }
  const std::string& credentials_path() const { return credentials_path_; }

 private:
  using Names = std::map<std::string, std::string>;  ///< section by profile

  std::string config_path_, credentials_path_;
  IniFile config_, credentials_;
  Names config_profiles_;
};

/// The profile asked for: AWS_PROFILE, then AWS_DEFAULT_PROFILE, then `default`.
struct ProfileChoice {
  std::string name = "default";
  /// Nobody asked for it, so it need not exist.
  bool is_default = true;
  std::vector<std::string> warnings = {};
};
ProfileChoice choose_profile(const Environment& environment);

}  // namespace metaflow::aws
