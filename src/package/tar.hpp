#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace metaflow::package {

enum class FileMode : unsigned { plain = 0644, executable = 0755 };

/// Builds a tar archive of regular files (POSIX ustar; names that this cannot hold by a pax header). The same files give
/// the same bytes: all belong to nobody in particular, and were changed at one fixed moment.
class TarWriter {
 public:
  /// Names are relative. Error(invalid) for a file of 8 GiB or more.
  void add(std::string_view name, FileMode mode, std::span<const std::byte> content);
  void add(std::string_view name, FileMode mode, std::string_view content) {
    add(name, mode, std::as_bytes(std::span(content)));
  }
  /// The whole archive; the writer is spent.
  std::string finish();

 private:
  void add_member(std::string_view prefix, std::string_view name, FileMode mode, char type,
                  std::span<const std::byte> content);

  std::string archive_;
};

}  // namespace metaflow::package
