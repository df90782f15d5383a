// What a run says of its graph, `_graph_info`: any pickle is a graph or Error(corrupt), and one written is read back the
// same.
#include <metaflow/pickle.hpp>
#include <metaflow/value.hpp>

#include "client/state.hpp"
#include "fuzz.hpp"

namespace mf = metaflow;
using namespace mf::client::detail;

namespace {

mf::Buffer joined(const mf::Pieces& pieces) {
  mf::Buffer buffer(pieces.size());
  auto* at = buffer.data();
  for (std::size_t i = 0; i < pieces.count(); ++i) at = std::copy_n(pieces.piece(i).data(), pieces.piece(i).size(), at);
  return buffer;
}

mf::Value described(const Graph& graph) {
  std::vector<std::pair<mf::Value, mf::Value>> steps;
  for (const auto& step : graph) {
    std::vector<mf::Value> next(step.next.begin(), step.next.end());
    steps.emplace_back(step.name, mf::Value::dict({{"type", step.is_switch ? "split-switch" : "linear"},
                                                   {"next", mf::Value::list(std::move(next))}}));
  }
  return mf::Value::dict({{"steps", mf::Value::dict(std::move(steps))}});
}

bool is_same(const GraphStep& a, const GraphStep& b) {
  return a.name == b.name && a.is_switch == b.is_switch && a.next == b.next;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mf::Buffer pickle(size);
  std::copy_n(reinterpret_cast<const std::byte*>(data), size, pickle.data());
  const auto graph = fuzz::accepted({mf::ErrorCode::corrupt}, [&] { return read_graph(std::move(pickle)); });
  if (!graph) return 0;
  const auto again = read_graph(joined(mf::pickle::encode(described(*graph)).pickle));
  fuzz::require(std::equal(again.begin(), again.end(), graph->begin(), graph->end(), is_same));
  return 0;
}
