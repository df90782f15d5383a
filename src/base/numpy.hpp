#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <metaflow/value.hpp>

/// What is known here about numpy's dtypes and memory layout.
namespace metaflow::detail {

/// Whether `dtype` (as ArrayContent has it) is one whose items are understood: b1, integers, f2 f4 f8, c8 c16, text and bytes.
bool is_plain_dtype(std::string_view dtype);

/// `numpy.float64` for `<f8`.
std::string numpy_scalar_type(std::string_view dtype);

/// Item at `index`, counted in row-major order whatever the order in memory. Complex numbers are a tuple of two.
Value array_item(const ArrayContent& array, std::size_t index);

/// `1.5`, `1e+16`: as Python's repr(float).
std::string real_text(double value);

}  // namespace metaflow::detail
