#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <metaflow/buffer.hpp>

#include "storage/object_store.hpp"

namespace metaflow::datastore {

/// Content-addressed blobs of one flow: `<Flow>/data/<first two of key>/<key>`, key = SHA-1 of the logical bytes in
/// lowercase hex. Written always as gzip without side file (docs/formats/blobs.md); read as official writes them: raw
/// or gzip, one or many members, with or without side file. Safe to use from several threads.
class BlobStore {
 public:
  /// `store` outlives it.
  BlobStore(storage::ObjectStore& store, std::string flow_name);
  ~BlobStore();

  /// Stores `bytes` unless their key is there already; returns the key.
  std::string put(const Pieces& bytes);
  /// Several at once, hashed, packed and written in parallel; keys in the same order.
  std::vector<std::string> put_all(std::span<const Pieces* const> blobs);
  /// Says that this one is stored, as what an artifact of a finished task is: so it need not be looked for when it is put again.
  void assume(std::string_view key);
  bool has(std::string_view key) const;
  /// The logical bytes, digest verified (once per key and process). Error: not_found, corrupt; the caller adds whose
  /// blob it is.
  Buffer get(std::string_view key) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace metaflow::datastore
