#pragma once

#include <string>
#include <string_view>

#include "network/http_client.hpp"

namespace metaflow::aws {

/// Two lowercase hex digits for each byte.
std::string hex(std::string_view bytes);

/// SHA-256 of a body in 64 lowercase hex digits; a file is read for it. Error when that fails.
std::string sha256_of(const network::Body& body);

/// As the header Content-MD5 wants it.
std::string md5_base64(std::string_view bytes);

}  // namespace metaflow::aws
