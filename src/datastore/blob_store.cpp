#include "datastore/blob_store.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <new>
#include <optional>

#include <metaflow/error.hpp>

#include "base/gzip.hpp"
#include "base/hash.hpp"
#include "base/parallel.hpp"

namespace metaflow::datastore {
namespace {

/// Less than this is done before a thread would have started.
constexpr std::size_t worth_threads = 2 << 20;

/// What official Metaflow goes by to read a blob where it cannot look for a side file.
constexpr std::string_view attributes = R"({"cas_raw": false, "cas_version": 1})";

enum class Kind { gzip, raw };

bool is_key(std::string_view key) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return key.size() == 40 && std::ranges::all_of(key, is_digit);
}

bool looks_packed(const Buffer& file) { return file.size() >= 2 && file.text().starts_with("\x1f\x8b"); }

/// The unpacked bytes; nothing when `key` is given and they are not what it names.
std::optional<Buffer> unpack(const Buffer& file, std::string_view key) {
  if (key.empty()) return gzip_unpack(file.span());
  Sha1 sha1;
  auto bytes = gzip_unpack(file.span(), [&](std::span<const std::byte> part) { sha1.update(part); });
  if (sha1.hex() != key) return std::nullopt;
  return bytes;
}

/// One blob on its way into the store.
struct Job {
  explicit Job(const Pieces& content) : bytes(content), packing(content) {}

  const Pieces& bytes;
  GzipPacking packing;
  std::string key;
};

}  // namespace

struct BlobStore::State {
  State(storage::ObjectStore& objects, std::string blob_folder) : store(objects), folder(std::move(blob_folder)) {}

  storage::ObjectStore& store;
  const std::string folder;  // <Flow>/data/
  std::mutex mutex;
  std::map<std::string, Kind, std::less<>> verified;  // guarded by mutex

  std::string object_key(std::string_view key) const {
    return folder + std::string(key.substr(0, 2)) + '/' + std::string(key);
  }

  /// An empty file is what a power loss may leave of a blob: it is written anew.
  bool holds(std::string_view key) const { return store.size(object_key(key)).value_or(0) > 0; }

  storage::Content content(std::string_view key, const Pieces& bytes, std::function<Pieces()> value) const {
    return {.key = object_key(key), .size = bytes.size(), .value = std::move(value), .attributes = attributes};
  }

  std::vector<std::string> put_small(std::span<const Pieces* const> blobs);
  std::vector<std::string> put_large(std::span<const Pieces* const> blobs);

  std::optional<Kind> kind_of(std::string_view key) {
    const std::scoped_lock lock(mutex);
    const auto found = verified.find(key);
    if (found == verified.end()) return std::nullopt;
    return found->second;
  }

  void remember(std::string_view key, Kind kind) {
    const std::scoped_lock lock(mutex);
    verified.insert_or_assign(std::string(key), kind);
  }

  Buffer verify(std::string_view key, Buffer file);
};

std::vector<std::string> BlobStore::State::put_small(std::span<const Pieces* const> blobs) {
  std::vector<std::string> keys;
  std::vector<storage::Content> contents;
  for (const auto* blob : blobs) {
    keys.push_back(sha1_hex(*blob));
    contents.push_back(content(keys.back(), *blob, [blob] { return gzip_pack(*blob); }));
  }
  store.keep(contents);
  return keys;
}

/// Each digest and each member is a job of its own, so that one large array keeps all cores busy as well as ten do.
std::vector<std::string> BlobStore::State::put_large(std::span<const Pieces* const> blobs) {
  std::deque<Job> jobs;
  std::vector<std::function<void()>> work;
  for (const auto* blob : blobs) {
    auto& job = jobs.emplace_back(*blob);
    // Digests first: they cannot be divided, so they should not be what is left at the end.
    work.insert(work.begin(), [&job] { job.key = sha1_hex(job.bytes); });
    for (std::size_t i = 0; i < job.packing.member_count(); ++i) work.push_back([&job, i] { job.packing.pack(i); });
  }
  for_each_index(work.size(), [&](std::size_t i) { work[i](); });
  std::vector<storage::Content> contents;
  for (auto& job : jobs) contents.push_back(content(job.key, job.bytes, [&job] { return job.packing.take(); }));
  store.keep(contents);
  std::vector<std::string> keys;
  for (auto& job : jobs) keys.push_back(std::move(job.key));
  return keys;
}

/// The digest decides how the file is to be read, whatever a side file of somebody else's says: a raw blob may look
/// like gzip (a code package), and official's writer makes side file and blob visible one after the other.
Buffer BlobStore::State::verify(std::string_view key, Buffer file) {
  std::string reason = "its content does not match its name";
  if (looks_packed(file)) {
    try {
      if (auto bytes = unpack(file, key)) {
        remember(key, Kind::gzip);
        return std::move(*bytes);
      }
    } catch (const Error& error) {
      reason = error.what();
    }
  }
  if (sha1_hex(file.span()) == key) {
    remember(key, Kind::raw);
    return file;
  }
  throw Error(ErrorCode::corrupt, "'" + store.root() + '/' + object_key(key) + "' is damaged: " + reason);
}

BlobStore::BlobStore(storage::ObjectStore& store, std::string flow_name)
    : state_(std::make_unique<State>(store, std::move(flow_name) + "/data/")) {}

BlobStore::~BlobStore() = default;

std::string BlobStore::put(const Pieces& bytes) {
  const auto* blob = &bytes;
  return std::move(put_all({&blob, 1}).front());
}

std::vector<std::string> BlobStore::put_all(std::span<const Pieces* const> blobs) {
  std::size_t total = 0;
  for (const auto* blob : blobs) total += blob->size();
  return total < worth_threads ? state_->put_small(blobs) : state_->put_large(blobs);
}

void BlobStore::assume(std::string_view key) {
  if (is_key(key)) state_->store.assume(state_->object_key(key));
}

bool BlobStore::has(std::string_view key) const { return is_key(key) && state_->holds(key); }

Buffer BlobStore::get(std::string_view key) const {
  if (!is_key(key)) throw Error(ErrorCode::corrupt, "'" + std::string(key) + "' is not the key of a stored value");
  auto file = state_->store.get(state_->object_key(key));
  if (!file) {
    throw Error(ErrorCode::not_found, "'" + state_->store.root() + '/' + state_->object_key(key) + "' is missing");
  }
  try {
    const auto kind = state_->kind_of(key);
    if (!kind) return state_->verify(key, std::move(*file));
    return kind == Kind::raw ? std::move(*file) : std::move(*unpack(*file, ""));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::exhausted, "not enough memory for '" + state_->object_key(key) + "'");
  }
}

}  // namespace metaflow::datastore
