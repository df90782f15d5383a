#pragma once

#include <string_view>

namespace metaflow::batch {

/// What a job runs with `sh -c`, in an image that has a POSIX shell, tar and gzip. It takes the code package from where it finds it first: baked
/// into the image (`/opt/metaflow/<SHA>`), or from S3 by curl 7.88 or python3, signed with the keys of the environment or of the job's role; unpacks
/// it, and becomes the program in it: `$1`, a path in the package, with the arguments that follow.
///
/// Variables: METAFLOW_CODE_HTTP (URL of the package's blob), METAFLOW_CODE_SHA (its key), AWS_DEFAULT_REGION; METAFLOW_TEMPDIR if there is one.
std::string_view job_script();

}  // namespace metaflow::batch
