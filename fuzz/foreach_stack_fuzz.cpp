// The foreach stack of a task, which resume and every task read: any blob is one or Error, and one written is read back
// the same.
#include "datastore/artifacts.hpp"
#include "fuzz.hpp"
#include "runtime/internal_artifacts.hpp"

namespace mf = metaflow;
using namespace mf::datastore;
using enum mf::ErrorCode;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto objects = mf::storage::make_memory_store();
  BlobStore blobs(*objects, "Flow");
  const auto stack_in = [&](const mf::Pieces& pickle) {
    const ArtifactTable table = {{"_foreach_stack", {.key = blobs.put(pickle)}}};
    return make_artifact_source(blobs, "Flow", {"7", "body", "2"}, table)->foreach_stack();
  };
  mf::Pieces pickle;
  pickle.borrow(std::as_bytes(std::span(data, size)));
  const auto stack = fuzz::accepted({invalid, corrupt}, [&] { return stack_in(pickle); });
  if (!stack) return 0;
  const auto written = fuzz::accepted({invalid}, [&] { return mf::runtime::encode_foreach_stack(*stack); });
  if (written) fuzz::require(stack_in(written->pickle) == *stack);
  return 0;
}
