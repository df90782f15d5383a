#include "base/known_settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <metaflow/error.hpp>

#include "base/json.hpp"
#include "base/text.hpp"

namespace metaflow {
namespace {

using enum SettingKind;
using enum SettingTopic;

// The order is that in which they are listed.
constexpr KnownSetting table[] = {
    {"DEFAULT_DATASTORE", text, "local", "where artifacts are stored: local, or s3", stores},
    {"DEFAULT_METADATA", text, "local", "where runs are recorded: local", stores},
    {"DATASTORE_SYSROOT_LOCAL", text, "", "folder that holds the .metaflow of all runs, instead of the nearest",
     stores},
    {"DATASTORE_SYSROOT_S3", text, "", "s3://bucket/prefix below which artifacts, logs and code are stored", stores},
    {"DATASTORE_SYSROOT_SPIN", text, "", "folder that holds what 'spin' leaves", stores},
    {"DATASTORE_ROOT", text, "", "folder of the datastore itself, as --datastore-root", stores},
    {"DATATOOLS_S3ROOT", text, "", "root of the S3 tool; otherwise data below the datastore's", stores},
    {"DATATOOLS_LOCALROOT", text, "", "folder of included files; otherwise data below the datastore's", stores},
    {"DATATOOLS_SUFFIX", text, "data", "name of that folder below the datastore", stores},
    {"CARD_S3ROOT", text, "", "root of cards in S3; otherwise mf.cards below the datastore's", stores},
    {"CARD_LOCALROOT", text, "", "folder of cards", stores},
    {"ARTIFACT_LOCALROOT", text, "", "folder for copies of what is downloaded", stores},
    {"TEMPDIR", text, ".", "folder for temporary files", stores},
    {"CLIENT_CACHE_PATH", text, "/tmp/metaflow_client", "folder in which the client keeps what it has read", stores},
    {"CLIENT_CACHE_MAX_SIZE", integer, "10000", "most megabytes to keep there", stores},
    {"CLIENT_CACHE_MAX_FLOWDATASTORE_COUNT", integer, "50", "most flows whose stores the client keeps open", stores},
    {"CLIENT_CACHE_MAX_TASKDATASTORE_COUNT", integer, "100", "most tasks whose stores the client keeps open", stores},

    {"S3_ENDPOINT_URL", text, "", "address of an S3 server other than Amazon's", s3},
    {"S3_VERIFY_CERTIFICATE", text, "", "file of certificates to believe; false: believe any", s3},
    {"S3_SERVER_SIDE_ENCRYPTION", text, "", "encryption S3 is asked for: AES256 or aws:kms", s3},
    {"S3_RETRY_COUNT", integer, "7", "how often a failed request is repeated", s3},
    {"S3_TRANSIENT_RETRY_COUNT", integer, "20", "how often one that met a passing trouble is", s3},
    {"S3_WORKER_COUNT", integer, "64", "objects moved at the same time", s3},
    {"S3_LOG_TRANSIENT_RETRIES", flag, "false", "whether repeated requests are mentioned", s3},
    {"S3_CLIENT_RETRY_CONFIG", json, R"({"max_attempts": 10, "mode": "adaptive"})", "retries of the AWS library", s3},
    {"DATATOOLS_CLIENT_PARAMS", json, "{}", "more about the S3 server: endpoint_url, verify", s3},
    {"DATATOOLS_SESSION_VARS", json, "{}", "more about the session with AWS", s3},
    {"DEFAULT_AWS_CLIENT_PROVIDER", text, "boto3", "what makes clients of AWS in official Metaflow", s3},

    {"BATCH_JOB_QUEUE", text, "", "AWS Batch queue that takes the jobs of steps: name or ARN", batch},
    {"ECS_S3_ACCESS_IAM_ROLE", text, "", "ARN of the role that a job acts as, which lets it use the bucket", batch},
    {"ECS_FARGATE_EXECUTION_ROLE", text, "", "ARN of the role that starts the container, on Fargate", batch},
    {"BATCH_CONTAINER_IMAGE", text, "", "image in which steps run on AWS Batch", batch},
    {"BATCH_CONTAINER_REGISTRY", text, "", "registry put in front of an image that names none", batch},
    {"DEFAULT_CONTAINER_IMAGE", text, "", "image in which steps run anywhere in the cloud", batch},
    {"DEFAULT_CONTAINER_REGISTRY", text, "", "registry put in front of that image", batch},
    {"BATCH_EMIT_TAGS", flag, "false", "whether jobs are tagged with flow, run and step", batch},
    {"BATCH_DEFAULT_TAGS", json, "{}", "tags that each job gets", batch},
    {"BATCH_CLIENT_PARAMS", json, "{}", "more about the AWS Batch server: endpoint_url", batch},
    {"DEFAULT_RUNTIME_LIMIT", integer, "432000", "seconds after which a job is stopped, without @timeout", batch},
    {"DEFAULT_SECRETS_BACKEND_TYPE", text, "", "where @secrets looks: aws-secrets-manager", batch},
    {"DEFAULT_SECRETS_ROLE", text, "", "role that @secrets acts as", batch},
    {"AWS_SECRETS_MANAGER_DEFAULT_REGION", text, "", "region of the AWS Secrets Manager", batch},
    {"AWS_SECRETS_MANAGER_DEFAULT_ROLE", text, "", "role that reads from it", batch},

    {"DEFAULT_DECOSPECS", text, "", "decorators that all steps get, as --with", flows},
    {"DEFAULT_ENVIRONMENT", text, "local", "where packages of Python come from: local", flows},
    {"DEFAULT_PACKAGE_SUFFIXES", text, ".py,.R,.RDS", "sources that go into the code package", flows},
    {"DEFAULT_EVENT_LOGGER", text, "nullSidecarLogger", "who is told of events", flows},
    {"DEFAULT_MONITOR", text, "nullSidecarMonitor", "who is told of measurements", flows},
    {"DEFAULT_FROM_DEPLOYMENT_IMPL", text, "argo-workflows", "kind of deployments looked up by name", flows},
    {"SPIN_PERSIST", flag, "false", "whether 'spin' keeps the artifacts", flows},
    {"SPIN_ALLOWED_DECORATORS", json, R"(["environment", "timeout"])", "decorators that 'spin' heeds", flows},
    {"SPIN_DISALLOWED_DECORATORS", json, R"(["parallel"])", "decorators with which 'spin' refuses a step", flows},
    {"INCLUDE_FOREACH_STACK", flag, "true", "whether tasks record their place in foreaches", flows},
    {"MAXIMUM_FOREACH_VALUE_CHARS", integer, "30", "most characters of a foreach item that are recorded", flows},
    {"FEAT_ALWAYS_UPLOAD_CODE_PACKAGE", flag, "false", "whether local runs store the code package too", flows},
    {"CLICK_API_PROCESS_CONFIG", flag, "true", "whether a Runner evaluates Configs of the flow", flows},
    {"CARD_NO_WARNING", flag, "false", "whether a card that failed is not mentioned", flows},
    {"RUNTIME_CARD_RENDER_INTERVAL", integer, "60", "seconds between pictures of a card while its task runs", flows},
    {"UI_URL", text, "", "address of a web page that shows runs", flows},
    {"CONTACT_INFO", json, "", "where users find help: names and addresses", flows},
    {"CONDA_DEPENDENCY_RESOLVER", text, "conda", "program that chooses packages for @conda", flows},
    {"CONDA_PACKAGE_S3ROOT", text, "", "root of packages for @conda in S3", flows},
    {"CONDA_USE_FAST_INIT", flag, "false", "whether @conda starts by its fast way", flows},
    {"ESCAPE_HATCH_WARNING", flag, "true", "whether modules outside of an environment are mentioned", flows},
    {"ENABLED_CMD", json, "", "extensions of the program metaflow that are used", flows},
    {"ENABLED_INTEGRATION_ALIAS", json, "", "integrations that are used", flows},

    {"USER", text, "", "your name in records and namespaces", identity},
    {"PROFILE", text, "", "which configuration holds: config_<profile>.json", identity},
    {"HOME", text, "", "folder of the configurations; otherwise ~/.metaflowconfig", identity},
    {"PRODUCTION_TOKEN", text, "", "namespace of production runs", identity},
    {"RUNTIME_NAME", text, "dev", "kind of runs, kept as a tag", identity},
    {"OWNER", text, "", "who owns what runs in production", identity},

    {"SERVICE_URL", text, "", "address of a metadata service", service},
    {"SERVICE_INTERNAL_URL", text, "", "the same as containers see it", service},
    {"SERVICE_AUTH_KEY", text, "", "key that the metadata service asks for", service},
    {"SERVICE_HEADERS", json, "{}", "headers sent to it", service},
    {"SERVICE_RETRY_COUNT", integer, "5", "how often a failed request to it is repeated", service},
    {"SERVICE_VERSION_CHECK", flag, "true", "whether its version is asked for", service},

    {"SFN_IAM_ROLE", text, "", "role that AWS Step Functions act as", schedulers},
    {"SFN_DYNAMO_DB_TABLE", text, "", "DynamoDB table for foreaches in AWS Step Functions", schedulers},
    {"EVENTS_SFN_ACCESS_IAM_ROLE", text, "", "role by which EventBridge starts AWS Step Functions", schedulers},
    {"SFN_STATE_MACHINE_PREFIX", text, "", "what names of state machines begin with", schedulers},
    {"SFN_EXECUTION_LOG_GROUP_ARN", text, "", "log group of executions", schedulers},
    {"SFN_S3_DISTRIBUTED_MAP_OUTPUT_PATH", text, "", "where distributed maps leave results", schedulers},
    {"SFN_COMPRESS_STATE_MACHINE", flag, "false", "whether commands of a state machine go to S3", schedulers},
    {"SFN_CLIENT_PARAMS", json, "{}", "more about the Step Functions server: endpoint_url", schedulers},
    {"SFN_DYNAMO_DB_CLIENT_PARAMS", json, "{}", "more about the DynamoDB server: endpoint_url", schedulers},
    {"ARGO_EVENTS_EVENT", text, "", "event of Argo Events", schedulers},
    {"ARGO_EVENTS_EVENT_BUS", text, "default", "event bus of Argo Events", schedulers},
    {"ARGO_EVENTS_EVENT_SOURCE", text, "", "event source of Argo Events", schedulers},
    {"ARGO_EVENTS_INTERNAL_WEBHOOK_URL", text, "", "its address as containers see it", schedulers},
    {"ARGO_EVENTS_SENSOR_NAMESPACE", text, "", "Kubernetes namespace of sensors", schedulers},
    {"ARGO_EVENTS_SERVICE_ACCOUNT", text, "", "service account of Argo Events", schedulers},
    {"ARGO_EVENTS_WEBHOOK_AUTH", text, "none", "how its address is protected", schedulers},
    {"ARGO_EVENTS_WEBHOOK_URL", text, "", "address that takes events", schedulers},
    {"ARGO_WORKFLOWS_CAPTURE_ERROR_SCRIPT", text, "", "script that gathers errors", schedulers},
    {"ARGO_WORKFLOWS_ENV_VARS_TO_SKIP", text, "", "variables that pods do not get", schedulers},
    {"ARGO_WORKFLOWS_KUBERNETES_SECRETS", text, "", "Kubernetes secrets that pods get", schedulers},
    {"ARGO_WORKFLOWS_UI_URL", text, "", "address of the page of Argo Workflows", schedulers},
    {"ARGO_WORKFLOWS_USE_SCHEDULES", flag, "false", "whether schedules have the newer form", schedulers},
    {"NAMESPACED_EVENTS_PREFIX", text, "mfns", "what names of events begin with", schedulers},
    {"AIRFLOW_KUBERNETES_CONN_ID", text, "", "connection of Airflow to Kubernetes", schedulers},
    {"AIRFLOW_KUBERNETES_KUBECONFIG_CONTEXT", text, "", "context of that connection", schedulers},
    {"AIRFLOW_KUBERNETES_KUBECONFIG_FILE", text, "", "file of that connection", schedulers},
    {"AIRFLOW_KUBERNETES_STARTUP_TIMEOUT_SECONDS", integer, "3600", "seconds a pod may take to start", schedulers},

    {"DATASTORE_SYSROOT_AZURE", text, "", "container and prefix of the datastore in Azure", other_clouds},
    {"DATATOOLS_AZUREROOT", text, "", "root of the data tool in Azure", other_clouds},
    {"CARD_AZUREROOT", text, "", "root of cards in Azure", other_clouds},
    {"CONDA_PACKAGE_AZUREROOT", text, "", "root of packages for @conda in Azure", other_clouds},
    {"AZURE_STORAGE_BLOB_SERVICE_ENDPOINT", text, "", "address of Azure Blob Storage", other_clouds},
    {"AZURE_STORAGE_WORKLOAD_TYPE", text, "general", "how Azure storage is used in parallel", other_clouds},
    {"AZURE_KEY_VAULT_PREFIX", text, "", "where @secrets looks in Azure", other_clouds},
    {"DEFAULT_AZURE_CLIENT_PROVIDER", text, "azure-default", "what makes clients of Azure", other_clouds},
    {"DATASTORE_SYSROOT_GS", text, "", "gs://bucket/prefix of the datastore at Google", other_clouds},
    {"DATATOOLS_GSROOT", text, "", "root of the data tool at Google", other_clouds},
    {"CARD_GSROOT", text, "", "root of cards at Google", other_clouds},
    {"CONDA_PACKAGE_GSROOT", text, "", "root of packages for @conda at Google", other_clouds},
    {"GS_STORAGE_WORKLOAD_TYPE", text, "general", "how Google storage is used in parallel", other_clouds},
    {"GCP_SECRET_MANAGER_PREFIX", text, "", "where @secrets looks at Google", other_clouds},
    {"DEFAULT_GCP_CLIENT_PROVIDER", text, "gcp-default", "what makes clients of Google", other_clouds},
    {"KUBERNETES_NAMESPACE", text, "default", "Kubernetes namespace of pods", other_clouds},
    {"KUBERNETES_SERVICE_ACCOUNT", text, "", "service account of pods", other_clouds},
    {"KUBERNETES_CONTAINER_IMAGE", text, "", "image in which steps run on Kubernetes", other_clouds},
    {"KUBERNETES_CONTAINER_REGISTRY", text, "", "registry put in front of an image that names none", other_clouds},
    {"KUBERNETES_IMAGE_PULL_POLICY", text, "", "when Kubernetes fetches an image", other_clouds},
    {"KUBERNETES_IMAGE_PULL_SECRETS", text, "", "secrets by which it does", other_clouds},
    {"KUBERNETES_SECRETS", text, "", "names of the Kubernetes secrets that pods get", other_clouds},
    {"KUBERNETES_NODE_SELECTOR", text, "", "nodes that pods may run on", other_clouds},
    {"KUBERNETES_TOLERATIONS", text, "", "taints that pods tolerate", other_clouds},
    {"KUBERNETES_PERSISTENT_VOLUME_CLAIMS", text, "", "volumes of pods", other_clouds},
    {"KUBERNETES_LABELS", text, "", "labels of pods", other_clouds},
    {"KUBERNETES_ANNOTATIONS", text, "", "annotations of pods", other_clouds},
    {"KUBERNETES_GPU_VENDOR", text, "nvidia", "maker of the GPUs", other_clouds},
    {"KUBERNETES_CPU", text, "", "processors of a pod", other_clouds},
    {"KUBERNETES_MEMORY", text, "", "memory of a pod", other_clouds},
    {"KUBERNETES_DISK", text, "", "disk of a pod", other_clouds},
    {"KUBERNETES_SHARED_MEMORY", text, "", "shared memory of a pod", other_clouds},
    {"KUBERNETES_PORT", text, "", "port that a pod opens", other_clouds},
    {"KUBERNETES_QOS", text, "burstable", "quality of service of pods", other_clouds},
    {"KUBERNETES_CONDA_ARCH", text, "", "architecture of packages for pods", other_clouds},
    {"KUBERNETES_FETCH_EC2_METADATA", flag, "false", "whether pods record their machine", other_clouds},
    {"KUBERNETES_JOBSET_GROUP", text, "jobset.x-k8s.io", "API group of job sets", other_clouds},
    {"KUBERNETES_JOBSET_VERSION", text, "v1alpha2", "version of that API", other_clouds},
    {"KUBERNETES_JOB_TERMINATE_MODE", text, "stop", "how a job is ended", other_clouds},
    {"KUBERNETES_JOB_TTL_SECONDS_AFTER_FINISHED", integer, "604800", "seconds for which an ended job stays",
     other_clouds},
    {"KUBERNETES_SANDBOX_INIT_SCRIPT", text, "", "what pods of a sandbox run first", other_clouds},
    {"AWS_SANDBOX_ENABLED", flag, "false", "a hosted sandbox that is gone", other_clouds},
    {"AWS_SANDBOX_API_KEY", text, "", "its key", other_clouds},
    {"AWS_SANDBOX_INTERNAL_SERVICE_URL", text, "", "its metadata service", other_clouds},
    {"AWS_SANDBOX_REGION", text, "", "its region", other_clouds},
    {"AWS_SANDBOX_STACK_NAME", text, "", "its name", other_clouds},

    {"OTEL_ENDPOINT", text, "", "address that takes traces by OpenTelemetry", tracing},
    {"OTEL_SERVICE_NAME", text, "metaflow", "name of this program there", tracing},
    {"ZIPKIN_ENDPOINT", text, "", "address that takes traces by Zipkin", tracing},
    {"CONSOLE_TRACE_ENABLED", flag, "false", "whether traces are printed", tracing},
    {"PROFILE_FROM_START", flag, "false", "whether the time that imports take is printed", tracing},
};

// Variables that one of our programs, or of official Metaflow, sets for another.
constexpr std::array own_variables = {"ARGO_ERROR",
                                      "ARGO_WORKFLOW_FAILURES",
                                      "ATTEMPT_NUMBER",
                                      "BUILD",
                                      "CODE_DS",
                                      "CODE_METADATA",
                                      "CODE_SHA",
                                      "CODE_URL",
                                      "CONTROL_DESCRIPTOR",
                                      "DATASTORE",
                                      "DECOSPECS",
                                      "ENVIRONMENT",
                                      "ENV_ESCAPE_PATHS",
                                      "EVENT_LOGGER",
                                      "EXTRACTED_ROOT",
                                      "FLOW_FILENAME",
                                      "FLOW_NAME",
                                      "INIT_SCRIPT",
                                      "JUDGE_PYTHON",
                                      "LIBRARY",
                                      "METADATA",
                                      "MODE",
                                      "MONITOR",
                                      "PACKAGE_POLICY",
                                      "PACKAGE_SUFFIXES",
                                      "PATH_TO_MICROMAMBA",
                                      "PYLINT",
                                      "QUIET",
                                      "RETRY_COUNT",
                                      "RUNTIME_ENVIRONMENT",
                                      "R_VERSION",
                                      "SFN_WORKFLOW_TIMEOUT",
                                      "SKIP_INSTALL_DEPENDENCIES",
                                      "STEP_NAME",
                                      "STUBGEN",
                                      "TASK_CREATED_MS",
                                      "TASK_FAILURE",
                                      "TASK_ID",
                                      "TASK_NAMESPACE",
                                      "TASK_TEMPORARY",
                                      "VERSION",
                                      "WORKFLOW_NAME",
                                      "WORKFLOW_NAMESPACE"};
// Options of commands, parameters and decorators of flows, and families of variables with endings of their own.
constexpr std::array own_prefixes = {"AIRFLOW_",        "ARGO_EVENT_PAYLOAD_",
                                     "BATCH_KILL_",     "BATCH_LIST_",
                                     "BATCH_STEP_",     "CARD_CREATE_",
                                     "CARD_GET_",       "CARD_LIST_",
                                     "CARD_VIEW_",      "CONDA_",
                                     "DEBUG_",          "DUMP_",
                                     "ENABLED_",        "ENV_ESCAPE_",
                                     "FLOW_",           "INIT_",
                                     "INPUT_PATHS",     "KUBERNETES_POD_",
                                     "LOGS_",           "PARENT_",
                                     "RESUME_",         "RUN_",
                                     "SPLIT_",          "STEP_",
                                     "STEP_FUNCTIONS_", "TAG_",
                                     "TEST_",           "TRIGGER_"};

bool ends_like_a_secret(std::string_view name) {
  constexpr std::array endings = {"_KEY", "_TOKEN", "_SECRET", "PASSWORD", "CREDENTIALS"};
  return std::ranges::any_of(endings, [&](std::string_view ending) { return name.ends_with(ending); });
}

bool is_whole_number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc() && end == text.data() + text.size();
}

bool is_json_collection(const std::string& text) {
  try {
    return parse_json(text, "").is_structured();
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::string setting_key(std::string_view name) { return std::string(setting_prefix) + std::string(name); }

std::span<const KnownSetting> known_settings() { return table; }

const KnownSetting* find_known_setting(std::string_view name) {
  const auto* const found = std::ranges::find(table, name, &KnownSetting::name);
  return found == std::ranges::end(table) ? nullptr : found;
}

std::string_view topic_title(SettingTopic topic) {
  switch (topic) {
    case stores:
      return "Where things are kept";
    case s3:
      return "S3";
    case batch:
      return "AWS Batch and secrets";
    case flows:
      return "Flows and packages";
    case identity:
      return "Who you are";
    case service:
      return "Metadata service (not available in this version)";
    case schedulers:
      return "Production schedulers (not available in this version)";
    case other_clouds:
      return "Azure, Google and Kubernetes (not available in this version)";
    case tracing:
      break;
  }
  return "Tracing (not available in this version)";
}

bool is_secret_setting(std::string_view name) {
  // Headers may carry the key of the service.
  if (name == "SERVICE_HEADERS") return true;
  return ends_like_a_secret(name);
}

std::optional<std::string> mistake_in_value(const KnownSetting& setting, const std::string& text) {
  const auto should_be = [&](const char* what) { return std::string("should be ") + what + ", not '" + text + "'"; };
  switch (setting.kind) {
    case integer:
      if (!is_whole_number(text)) return should_be("a whole number");
      break;
    case json:
      if (!text.empty() && !is_json_collection(text)) return should_be("a list or an object in JSON");
      break;
    case SettingKind::text:
    case flag:
      break;
  }
  return std::nullopt;
}

bool flag_of(std::string_view text) {
  const auto lower = lower_case(text);
  return !lower.empty() && lower != "0" && lower != "false";
}

bool is_own_variable(std::string_view name) {
  return std::ranges::find(own_variables, name) != own_variables.end() ||
         std::ranges::any_of(own_prefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace metaflow
