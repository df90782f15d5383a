#include "base/random.hpp"

#include <cerrno>
#include <cstdint>
#include <string_view>

#include <sys/random.h>

#include "base/system_error.hpp"

namespace metaflow {

std::string random_name(std::size_t length) {
  static constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789_";
  std::string name(length, '\0');
  // getrandom returns up to 256 bytes in one piece; a longer name would need a loop that nobody asks for.
  if (getrandom(name.data(), length, 0) != static_cast<ssize_t>(length)) {
    throw system_error("cannot get random bytes", errno);
  }
  for (auto& c : name) c = letters[static_cast<std::uint8_t>(c) % letters.size()];
  return name;
}

}  // namespace metaflow
