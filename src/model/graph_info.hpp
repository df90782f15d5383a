#pragma once

#include <metaflow/value.hpp>

#include "model/graph.hpp"

namespace metaflow::model {

/// The flow's description that every run stores as `_graph_info`: a dict that clients navigate by
/// (docs/formats/datastore.md).
Value graph_info(const Graph& graph);

}  // namespace metaflow::model
