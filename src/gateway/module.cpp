#include "gateway/module.hpp"

#include <filesystem>

#include <dlfcn.h>
#include <link.h>

#include <metaflow/error.hpp>

#include "base/program.hpp"
#include "base/version.hpp"

namespace metaflow::gateway {
namespace {

namespace fs = std::filesystem;

/// The file that this very code was loaded from.
fs::path own_file() {
  Dl_info info{};
  link_map* object = nullptr;
  const bool is_found = ::dladdr1(reinterpret_cast<const void*>(&own_file), &info, reinterpret_cast<void**>(&object),
                                  RTLD_DL_LINKMAP) != 0;
  // The program itself has no name here.
  const bool is_library = is_found && object->l_name != nullptr && object->l_name[0] != '\0';
  std::error_code problem;
  // The path may be one from a folder that the process has left since.
  if (auto path = fs::canonical(is_library ? object->l_name : "/proc/self/exe", problem); !problem) return path;
  return program_path();
}

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorCode::unavailable, what + "; install Metaflow again", "No way to the cloud");
}

std::string existing_one(const std::vector<std::string>& places) {
  std::string looked_at;
  for (const auto& place : places) {
    std::error_code ignored;
    if (fs::exists(place, ignored)) return place;
    looked_at += (looked_at.empty() ? "'" : ", '") + place + "'";
  }
  fail("The part of Metaflow that talks to AWS is missing: there is no file " + looked_at);
}

}  // namespace

std::vector<std::string> module_places() {
  const auto folder = own_file().parent_path();
  return {folder / module_file, folder.parent_path() / module_file,
          folder.parent_path() / METAFLOW_LIBRARY_FOLDER / module_file};
}

std::unique_ptr<Cloud> open_module(const std::vector<std::string>& places) {
  const auto path = existing_one(places);
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) fail("The part of Metaflow that talks to AWS cannot be loaded: " + std::string(::dlerror()));
  const auto describe = reinterpret_cast<const Module* (*)()>(::dlsym(library, module_symbol));
  if (describe == nullptr) fail("'" + path + "' is not what Metaflow takes it for");
  const auto* module = describe();
  if (module->version != version)
    fail("'" + path + "' belongs to Metaflow " + module->version + ", and this is " + std::string(version));
  return module->open();
}

Cloud& cloud() {
  static const auto opened = open_module(module_places());
  return *opened;
}

}  // namespace metaflow::gateway
