#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <metaflow/task.hpp>

#include "datastore/blob_store.hpp"
#include "datastore/task_store.hpp"

namespace metaflow::datastore {

/// The artifacts of a finished task behind the interface steps use. `blobs` outlives it; errors name `path` and the
/// artifact.
std::unique_ptr<ArtifactSource> make_artifact_source(const BlobStore& blobs, std::string flow_name, TaskPath path,
                                                     ArtifactTable artifacts);

/// An include file, stored: `<data tools root>/<Flow>/<sha1 of the file>` as gzip, only if absent. Returns the pickled
/// descriptor (metaflow.includefile.IncludedFile). Error(usage) when `path` cannot be read or, for text, is not valid
/// UTF-8.
Encoded store_included_file(const std::string& data_tools_root, const std::string& flow_name, const std::string& path,
                            bool is_text);
/// A file that was stored before, by its descriptor as JSON text, to be stored again as it is. Error(usage) when that is
/// none, or the file is not on this machine.
Encoded reuse_included_file(std::string_view descriptor);
/// Content behind a descriptor's url (`local:///…`), unpacked; those of type `external` are not packed. Error:
/// not_found, corrupt.
Buffer load_included_file(std::string_view url, bool packed = true);

/// Whether a url ends in the SHA-1 of the content, as those of uploaded (and so packed) include files do.
bool is_content_address(std::string_view url);

/// Root of include files for this datastore root (datastore.md 9.3): METAFLOW_DATATOOLS_LOCALROOT, else
/// `<sysroot>/data`, else `<root>/data`.
std::string data_tools_root(const std::string& datastore_root);

}  // namespace metaflow::datastore
