#pragma once

#include <cstddef>
#include <string>

namespace metaflow {

/// `length` random characters of `a-z`, `0-9` and `_`, from the kernel: forked children never repeat each other's.
std::string random_name(std::size_t length);

}  // namespace metaflow
