#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <metaflow/task.hpp>
#include <metaflow/value.hpp>

#include "datastore/task_store.hpp"

/// The artifacts that every task has beside the user's (docs/formats/datastore.md), as the bytes that Python reads.
namespace metaflow::runtime {

Encoded encode_none();
Encoded encode_boolean(bool value);
Encoded encode_integer(std::int64_t value);
Encoded encode_text(std::string_view text);
Encoded encode_texts(std::span<const std::string> texts);
Encoded encode_integers(std::span<const std::int64_t> numbers);
/// `(targets, foreach variable or None)`.
Encoded encode_transition(std::span<const std::string> targets, std::string_view foreach_variable);
/// A list of Python's named tuple ForeachFrame.
Encoded encode_foreach_stack(std::span<const ForeachFrame> frames);
/// Python's ParallelUBF: what official Metaflow loops over for a gang of so many nodes.
Encoded encode_num_parallel(std::int64_t nodes);
/// The nodes it stands for; Error when it is none.
std::int64_t num_parallel_of(const Value& value);
/// MetaflowExceptionWrapper: what the client's `Task.exception` shows.
Encoded encode_exception(const Failure& failure);

/// What metadata needs a record of: public artifacts, and those private ones that the official client asks for by name.
datastore::ArtifactTable recorded_artifacts(const datastore::ArtifactTable& artifacts);

}  // namespace metaflow::runtime
