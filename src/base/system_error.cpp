#include "base/system_error.hpp"

#include <cctype>
#include <cerrno>
#include <string>
#include <system_error>

namespace metaflow {
namespace {

struct Cause {
  ErrorCode code;
  std::string words;
};

std::string kernel_words(int number) {
  auto words = std::generic_category().message(number);
  if (words.size() > 1 && std::islower(static_cast<unsigned char>(words[1]))) {
    words[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(words[0])));
  }
  return words;
}

Cause cause_of(int number) {
  switch (number) {
    case ENOSPC:
      return {ErrorCode::exhausted, "no space left on device; free some space and try again"};
    case EDQUOT:
      return {ErrorCode::exhausted, "the disk quota is used up; free some space and try again"};
    case EMFILE:
      return {ErrorCode::exhausted, "too many open files; raise the limit with 'ulimit -n'"};
    case ENFILE:
      return {ErrorCode::exhausted, "too many open files on this machine"};
    case EFBIG:
      return {ErrorCode::exhausted, "the file would be too large; see 'ulimit -f' and the file system"};
    case ENOMEM:
      return {ErrorCode::exhausted, "out of memory"};
    case EACCES:
    case EPERM:
      return {ErrorCode::denied, "permission denied; check who owns the file and its folders"};
    case EROFS:
      return {ErrorCode::denied, "the file system is read-only"};
    case ENOENT:
      return {ErrorCode::not_found, "no such file or folder"};
    case ENOTDIR:
      return {ErrorCode::invalid, "a part of the path is a file, not a folder"};
    case EISDIR:
      return {ErrorCode::invalid, "it is a folder, not a file"};
    case ENAMETOOLONG:
      return {ErrorCode::invalid, "the name is too long for the file system"};
    case ELOOP:
      return {ErrorCode::invalid, "too many symbolic links in the path"};
    case EEXIST:
      return {ErrorCode::conflict, "it exists already"};
    case EIO:
    case ESTALE:
    case EAGAIN:
    case ETIMEDOUT:
      return {ErrorCode::unavailable, kernel_words(number)};
    default:
      return {ErrorCode::internal, kernel_words(number)};
  }
}

}  // namespace

Error system_error(std::string_view doing, int number) {
  const auto cause = cause_of(number);
  return Error(cause.code, std::string(doing) + ": " + cause.words);
}

}  // namespace metaflow
