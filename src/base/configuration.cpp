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

std::string key_of(std::string_view name) { return "METAFLOW_" + std::string(name); }

std::optional<std::string> value_in_file(const std::string& path, std::string_view name) {
  const auto text = read_text_file(path);
  return text ? setting_in_file(*text, path, name) : std::nullopt;
}

std::optional<std::string> home_setting(std::string_view name) {
  const auto folder = environment("METAFLOW_HOME").value_or(home_directory() + "/.metaflowconfig");
  const auto profile = environment("METAFLOW_PROFILE").value_or("");
  const auto path = folder + (profile.empty() ? "/config.json" : "/config_" + profile + ".json");
  if (!profile.empty() && !file_size(path)) {
    throw Error(ErrorCode::invalid, "profile '" + profile + "' (METAFLOW_PROFILE) has no file '" + path +
                                        "'; make it or unset METAFLOW_PROFILE");
  }
  return value_in_file(path, name);
}

std::string user_name_of(unsigned user_id) {
  const auto* user = ::getpwuid(user_id);
  return user ? user->pw_name : std::to_string(user_id);
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
  if (auto value = environment(key_of(name))) return value;
  if (const auto folder = nearest_folder(folder_name)) {
    if (auto value = value_in_file(*folder + "/config.json", name)) return value;
  }
  return home_setting(name);
}

std::optional<std::string> setting_in_file(std::string_view text, const std::string& path, std::string_view name) {
  JsonValue values;
  try {
    values = parse_json(text, path);
  } catch (const Error& error) {
    throw Error(ErrorCode::invalid, std::string(error.what()) + "; correct or remove it");
  }
  if (!values.is_object()) throw Error(ErrorCode::invalid, "'" + path + "' should hold one JSON object");
  const auto found = values.find(key_of(name));
  if (found == values.end() || found->is_null()) return std::nullopt;
  return found->is_string() ? found->get<std::string>() : dump_json(*found);
}

bool is_switched_on(std::string_view name, bool otherwise) {
  const auto value = setting(name);
  if (!value) return otherwise;
  return !value->empty() && *value != "0" && *value != "false" && *value != "False";
}

std::string home_directory() {
  if (const auto home = environment("HOME"); home && !home->empty()) return *home;
  const auto* user = ::getpwuid(::geteuid());
  return user ? user->pw_dir : "/";
}

LocalRoot find_local_root() { return find_root(folder_name, "DATASTORE_SYSROOT_LOCAL"); }

LocalRoot find_spin_root() { return find_root(spin_folder_name, "DATASTORE_SYSROOT_SPIN"); }

}  // namespace metaflow
