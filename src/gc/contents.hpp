#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "metadata/metadata.hpp"

/// What one flow has on disk, what it costs, and who needs it.
namespace metaflow::gc {

/// What files take on disk, as `du` counts.
struct Usage {
  std::size_t files = 0;
  std::uint64_t bytes = 0;

  Usage& operator+=(const Usage& other) {
    files += other.files;
    bytes += other.bytes;
    return *this;
  }
};

/// A file in the folder of blobs: a blob and its side file, if it has one.
struct Blob {
  std::array<char, 40> digits;  ///< of its key
  std::uint64_t disk_bytes = 0;
  std::uint64_t logical_bytes = 0;  ///< length of the value; 0 where no table that was read says it
  std::int64_t written_s = 0;       ///< last written, or used again, in seconds since the epoch
  bool has_side_file = false;

  std::string_view key() const { return {digits.data(), digits.size()}; }
};

/// A file that a writer was killed over.
struct Draft {
  std::string path;  ///< below the folder of blobs
  std::uint64_t disk_bytes = 0;
  std::int64_t written_s = 0;
};

struct RunContents {
  std::string id;
  std::optional<metadata::RunRecord> record = {};  ///< nothing for a folder that no reader takes for a run
  std::size_t tasks = 0;                           ///< the pseudo-task of the parameters left out
  Usage records = {}, logs = {};                   ///< all files of the run; the blobs are not among them
  std::vector<std::uint32_t> blobs = {};           ///< places in FlowContents::blobs of all that it needs, ascending
  std::set<std::string> origins = {};              ///< runs whose logs and metadata its clones borrow
  std::optional<std::int64_t> unfinished_since_s = {};  ///< start of the latest attempt that has not ended
  std::int64_t changed_s = 0;                           ///< when a file of it was last written
  bool ended = false;                                   ///< its last step is done
  std::optional<std::string> damage = {};               ///< why nobody can say what it needs
};

struct FlowContents {
  std::string flow;
  std::vector<Blob> blobs = {};        ///< sorted by key
  std::vector<Draft> drafts = {};      ///< in the folder of blobs
  std::vector<RunContents> runs = {};  ///< newest first
  std::set<std::string> missing = {};  ///< keys that runs need and that are not there
};

/// Is told from time to time how many tasks have been read.
using Progress = std::function<void(std::size_t tasks)>;

/// Reads all of a flow, by as many threads as the machine has cores. Takes no lock. Tables of attempts that are done are
/// read strictly: damage is noted with the run. Elsewhere whatever looks like a key is one, so that a half-written file
/// loses nothing. Error when something may not be read.
FlowContents read_contents(const std::string& root, const std::string& flow, const Progress& progress);

/// Folder of the cards of a run.
std::string card_folder(const std::string& root, const std::string& flow, const std::string& run);

}  // namespace metaflow::gc
