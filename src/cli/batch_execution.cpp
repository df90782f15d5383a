#include "cli/batch_execution.hpp"

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/configuration.hpp"
#include "base/known_settings.hpp"
#include "base/version.hpp"
#include "batch/job_script.hpp"
#include "cli/batch_check.hpp"
#include "cli/execution.hpp"
#include "cli/flow_code.hpp"
#include "compute/batch_launcher.hpp"
#include "datastore/blob_store.hpp"
#include "gateway/cloud.hpp"
#include "package/code_package.hpp"
#include "runtime/attempt_records.hpp"

namespace metaflow::cli {
namespace {

constexpr const char* environment_variable = "METAFLOW_RUNTIME_ENVIRONMENT";
constexpr const char* batch_environment = "aws-batch";

/// The code package in the datastore.
struct StoredCode {
  std::string sha;
  std::string url;  ///< `s3://…`
};

/// What the thread of the launcher works with: made there, at the first job.
class BatchRun {
 public:
  BatchRun(const Invocation& invocation, const Roots& roots, const std::string& queue)
      : invocation_(invocation),
        program_(invocation.program),
        graph_(program_.flow),
        roots_(roots),
        stores_(roots),
        logs_(stores_.objects(), program_.flow.name),
        reach_(gateway::cloud().reach(queue)) {}

  batch::Work prepare(const runtime::TaskRequest& request) {
    runtime::register_remote_attempt(program_.flow, request, stores_.both());
    if (!code_) code_ = store_code();
    return {.script = std::string(batch::job_script()),
            .environment = environment(request),
            .arguments = arguments(request)};
  }

  std::optional<runtime::TaskOutcome> outcome(const runtime::TaskRequest& request) {
    return runtime::take_over_remote_attempt(graph_, request, stores_.both());
  }

  std::string read_log(const runtime::TaskRequest& request, runtime::OutputStream stream) const {
    return logs_.read_log({request.run, request.step, request.task}, request.attempt, datastore::LogSource::task,
                          stream == runtime::OutputStream::out ? datastore::LogStream::out : datastore::LogStream::err);
  }

 private:
  StoredCode store_code() {
    auto source = code_of(invocation_);
    source.brings_system = true;
    const auto package = package::make_package(package::package_members(source));
    Pieces bytes;
    bytes.borrow(std::as_bytes(std::span(package)));
    auto sha = datastore::BlobStore(stores_.objects(), program_.flow.name).put(bytes);
    auto url = fmt::format("{}/{}/data/{}/{}", stores_.objects().root(), program_.flow.name, sha.substr(0, 2), sha);
    return {std::move(sha), std::move(url)};
  }

  /// As the job starts the program: its path in the package, and the public `step` command.
  std::vector<std::string> arguments(const runtime::TaskRequest& request) {
    auto words = step_program(invocation_, roots_).arguments;
    words.front() = "bin/" + program_.flow.name;
    for (auto& word : runtime::step_arguments(request)) words.push_back(std::move(word));
    return words;
  }

  batch::TextPairs environment(const runtime::TaskRequest& request) {
    batch::TextPairs variables = {{"AWS_DEFAULT_REGION", reach_.region},
                                  {"METAFLOW_CODE_SHA", code_->sha},
                                  {"METAFLOW_CODE_URL", code_->url},
                                  {"METAFLOW_CODE_DS", "s3"},
                                  {"METAFLOW_CODE_HTTP", gateway::cloud().http_url(code_->url, reach_)},
                                  {"METAFLOW_USER", metadata::current_identity().user},
                                  {"METAFLOW_DEFAULT_DATASTORE", "s3"},
                                  {"METAFLOW_DEFAULT_METADATA", "local"},
                                  {"METAFLOW_DATASTORE_SYSROOT_S3", stores_.objects().root()},
                                  {environment_variable, batch_environment},
                                  {"METAFLOW_RUN_ID", request.run}};
    for (const auto* name : {"DATATOOLS_S3ROOT", "CARD_S3ROOT", "S3_SERVER_SIDE_ENCRYPTION"})
      if (const auto value = setting(name); value && !value->empty()) variables.emplace_back(setting_key(name), *value);
    if (reach_.has_own_s3_url) variables.emplace_back(setting_key("S3_ENDPOINT_URL"), reach_.s3_url);
    for (auto& [name, value] : runtime::step_environment(request))
      if (!value.empty()) variables.emplace_back(name, std::move(value));
    return variables;
  }

  const Invocation& invocation_;
  const FlowProgram& program_;
  model::Graph graph_;
  Roots roots_;
  OpenedStores stores_;
  datastore::TaskStore logs_;
  gateway::Reach reach_;
  std::optional<StoredCode> code_;
};

}  // namespace

std::unique_ptr<runtime::Launcher> with_batch(std::unique_ptr<runtime::Launcher> local, const Invocation& invocation,
                                              const Roots& roots) {
  const auto& flow = invocation.program.flow;
  const auto defaults = batch_defaults(Configuration::read());
  const auto run = std::make_shared<std::optional<BatchRun>>();
  compute::BatchParts parts{
      .open_service =
          [run, &invocation, roots, queue = defaults.queue] {
            run->emplace(invocation, roots, queue);
            return gateway::cloud().open_batch(queue);
          },
      .prepare = [run](const runtime::TaskRequest& request) { return (*run)->prepare(request); },
      .outcome = [run](const runtime::TaskRequest& request) { return (*run)->outcome(request); },
      .read_log = [run](const runtime::TaskRequest& request,
                        runtime::OutputStream stream) { return (*run)->read_log(request, stream); }};
  auto remote = compute::make_batch_launcher(flow, {metadata::current_identity().user, std::string(version)}, defaults,
                                             std::move(parts), system_clock());
  return compute::make_routing_launcher(std::move(local), std::move(remote), compute::runs_on_batch(flow));
}

bool is_batch_job() {
  const char* environment = std::getenv(environment_variable);
  return environment != nullptr && std::string_view(environment) == batch_environment;
}

}  // namespace metaflow::cli
