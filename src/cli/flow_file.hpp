#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace metaflow::cli {

/// Whether a word on the command line means a C++ source file, by its ending.
bool is_flow_file(std::string_view word);

/// Builds the program of a flow file, unless that was done before, and becomes it: returns only when the compiler
/// refuses the file, with 1, after it has said why. Error(not_found, usage) when there is no such file or no compiler.
int run_flow_file(const std::string& file, const std::vector<std::string>& arguments);

/// Paths in a makefile rule as compilers write it (`program: a.cpp b\ c.hpp \` and so on).
std::vector<std::string> parse_dependencies(std::string_view rule);

}  // namespace metaflow::cli
