#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "base/files.hpp"

/// Descriptors between processes; all close-on-exec.
namespace metaflow {

struct Pipe {
  FileDescriptor reading, writing;
};
/// Throws Error(exhausted) when no descriptor is left.
Pipe make_pipe();

/// Both ends of a connected Unix stream socket.
std::pair<FileDescriptor, FileDescriptor> make_socket_pair();

/// Puts something in the place of standard descriptors that are closed, so that no other file gets their numbers: reading
/// and writing there fail as before. To be called before anything is opened.
void occupy_standard_descriptors() noexcept;

/// Lets this process open as many files as its hard limit allows. Returns the limit before that, for processes that it
/// starts: set_open_file_limit() gives it back to them.
std::uint64_t raise_open_file_limit() noexcept;
void set_open_file_limit(std::uint64_t files) noexcept;

/// Writes all of `bytes`, however often it takes; false, and the reason in errno, when the other end is gone or the
/// device refuses.
bool try_write_all(int descriptor, std::string_view bytes) noexcept;

}  // namespace metaflow
