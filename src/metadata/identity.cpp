#include <cstdlib>
#include <string_view>

#include "metadata/metadata.hpp"

namespace metaflow::metadata {
namespace {

std::string environment(const char* name) {
  const auto* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

Identity current_identity() {
  Identity identity{.user = "root", .production_token = environment("METAFLOW_PRODUCTION_TOKEN")};
  identity.is_fallback_root = true;
  for (const auto* name : {"METAFLOW_USER", "SUDO_USER", "USERNAME", "USER"}) {
    const auto user = environment(name);
    if (user.empty() || user == "root") continue;
    identity.user = user;
    identity.is_fallback_root = false;
    break;
  }
  return identity;
}

}  // namespace metaflow::metadata
