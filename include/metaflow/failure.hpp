#pragma once

#include <string>
#include <string_view>

#include <metaflow/codec.hpp>

namespace [[gnu::visibility("default")]] metaflow {

/// Why a body did not end well. `mf::Artifact<std::optional<mf::Failure>>` holds what `mf::catch_exception` caught; it is
/// stored as Python's MetaflowExceptionWrapper.
struct Failure {
  std::string type;        ///< `std::runtime_error`, or `module.Class` from Python
  std::string message;     ///< what() of the exception
  std::string stacktrace;  ///< for people; may be the message alone
  std::string headline;    ///< non-empty for errors of the engine: shown as an error block, without `Internal error`
};

namespace detail {

inline constexpr std::string_view failure_type = "metaflow.exception.MetaflowExceptionWrapper";
/// Borrows the texts, and refuses what is no UTF-8, as Writer::text does.
void write_failure(pickle::Writer& writer, const Failure& failure);
/// Error(invalid) when it is none. The headline is not stored.
Failure read_failure(const Value& value);

}  // namespace detail

template <>
struct Codec<Failure> {
  static constexpr std::string_view type = detail::failure_type;
  static void write(pickle::Writer& writer, const Failure& failure) { detail::write_failure(writer, failure); }
  static Failure read(const Source& source) { return detail::read_failure(source.value); }
  static bool fits(const Value& value) { return value.type_name() == detail::failure_type; }
};

}  // namespace metaflow
