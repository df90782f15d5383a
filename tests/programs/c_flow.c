/* A flow in C, as a language binding would define it: start -> square (a foreach) -> join -> end. */
#include <metaflow/metaflow.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { start, square, join, end };

static const char* const description =
    "{\"name\": \"CFlow\", \"documentation\": \"Squares numbers, in C.\", \"source_file\": \"/src/c_flow.c\","
    " \"steps\": ["
    "  {\"name\": \"start\", \"transition\": \"foreach\", \"next\": [\"square\"], \"foreach_artifact\": \"items\","
    "   \"line\": 10, \"decorators\": %s},"
    "  {\"name\": \"square\", \"transition\": \"linear\", \"next\": [\"join\"], \"line\": 20, \"decorators\": %s},"
    "  {\"name\": \"join\", \"takes\": \"branches\", \"argument_count\": 1, \"transition\": \"linear\", \"next\": "
    "[\"end\"]},"
    "  {\"name\": \"end\", \"transition\": \"none\", \"documentation\": \"Shows the total.\"}],"
    " \"parameters\": [{\"name\": \"count\", \"type_name\": \"INTEGER\", \"help\": \"How many.\", \"default_text\": "
    "\"3\"}],"
    " \"constants\": [{\"name\": \"factor\", \"type\": \"<class 'int'>\", \"pickle\": \"gARLAS4=\"}],"
    " \"options\": ["
    "  {\"name\": \"break\", \"type_name\": \"STEP\", \"help\": \"Let this step fail.\"},"
    "  {\"name\": \"once\", \"kind\": \"flag\", \"off_name\": \"always\", \"help\": \"Only its first attempt.\"},"
    "  {\"name\": \"how\", \"kind\": \"repeated\", \"help\": \"In what ways.\"},"
    "  {\"name\": \"set\", \"kind\": \"pairs\", \"type_name\": \"NAME VALUE\", \"help\": \"Anything.\"}],"
    " \"system_tags\": [\"language:c\"]}";

/* What the command line says. */
static char choices[4096];
static int forks = 0;

static int chosen(const char* text) { return strstr(choices, text) != NULL; }

static metaflow_status refuse(metaflow_error** error, metaflow_status status, const char* message) {
  *error = metaflow_error_new(status, message, status == METAFLOW_USAGE ? NULL : "C trouble");
  return status;
}

static metaflow_buffer* text(const char* value) { return metaflow_buffer_new(value, strlen(value)); }

static metaflow_buffer* pickle_of(int value) {
  const char bytes[] = {(char)0x80, 4, 'K', (char)value, '.'};
  return metaflow_buffer_new(bytes, sizeof bytes);
}

/* Of a pickle as pickle_of() makes it. */
static int value_of(metaflow_buffer* pickle) {
  const int value = ((unsigned char*)metaflow_buffer_data(pickle))[3];
  metaflow_buffer_free(pickle);
  return value;
}

static metaflow_status configure(void* user, const char* choices_json, metaflow_buffer** flow, metaflow_error** error) {
  static const char retry[] =
      "[{\"name\": \"retry\", \"attributes\": {\"times\": 1, \"minutes_between_retries\": 0}, \"static\": false}]";
  static char configured[8192];
  (void)user;
  snprintf(choices, sizeof choices, "%s", choices_json);
  if (chosen("\"refuse\"")) return refuse(error, METAFLOW_USAGE, "Invalid value for '--how': it is refused");
  if (!chosen("\"with\": [\"retry\"]")) return METAFLOW_OK;
  snprintf(configured, sizeof configured, description, retry, retry);
  *flow = text(configured);
  return METAFLOW_OK;
}

static metaflow_status parse_parameter(void* user, size_t index, const char* given, metaflow_buffer** pickle,
                                       metaflow_buffer** type, metaflow_error** error) {
  char* last = NULL;
  const long value = strtol(given, &last, 10);
  char message[200];
  (void)user, (void)index;
  if (last == given || *last != '\0' || value < 0 || value > 100) {
    snprintf(message, sizeof message, "Invalid value for '--count': '%s' is no number up to 100", given);
    return refuse(error, METAFLOW_USAGE, message);
  }
  *pickle = pickle_of((int)value);
  *type = text("<class 'int'>");
  return METAFLOW_OK;
}

static metaflow_status default_parameter(void* user, size_t index, const char* user_name, metaflow_buffer** pickle,
                                         metaflow_buffer** type, metaflow_error** error) {
  (void)user, (void)index, (void)user_name, (void)error;
  *pickle = pickle_of(3);
  *type = text("<class 'int'>");
  return METAFLOW_OK;
}

static metaflow_status load(metaflow_task* task, size_t source, const char* name, int* value, metaflow_error** error) {
  metaflow_buffer* pickle = NULL;
  const metaflow_status status = metaflow_task_load(task, source, name, &pickle, error);
  if (status == METAFLOW_OK) *value = value_of(pickle);
  return status;
}

static metaflow_status store(metaflow_task* task, const char* name, const char* type, metaflow_buffer* pickle,
                             metaflow_error** error) {
  /* In two pieces, as a large value would come. */
  const char* bytes = metaflow_buffer_data(pickle);
  const metaflow_bytes pieces[] = {{bytes, 2}, {bytes + 2, metaflow_buffer_size(pickle) - 2}};
  const metaflow_artifact artifact = {name, type, pieces, 2};
  const metaflow_status status = metaflow_task_store(task, &artifact, 1, error);
  metaflow_buffer_free(pickle);
  return status;
}

/* The number behind `name` in what metaflow_task_current() says; the last one, so of the innermost foreach. */
static long number_in(metaflow_task* task, const char* name) {
  metaflow_buffer* json = NULL;
  long value = -1;
  const char* found;
  if (metaflow_task_current(task, &json, NULL) != METAFLOW_OK) return -1;
  for (found = metaflow_buffer_data(json); (found = strstr(found, name)) != NULL; found += strlen(name))
    value = strtol(found + strlen(name), NULL, 10);
  metaflow_buffer_free(json);
  return value;
}

static metaflow_status run_start(metaflow_task* task, metaflow_error** error) {
  char list[512] = {(char)0x80, 4, ']', (char)0x94, '('}, values[1024] = "[";
  size_t size = 5;
  int count = 0, i;
  const metaflow_status status = load(task, METAFLOW_INHERITED, "count", &count, error);
  if (status != METAFLOW_OK) return status;
  for (i = 0; i < count; ++i) {
    list[size++] = 'K';
    list[size++] = (char)i;
    sprintf(values + strlen(values), "%s\"no %d\"", i > 0 ? ", " : "", i);
  }
  list[size++] = 'e';
  list[size++] = '.';
  strcat(values, "]");
  if (metaflow_task_foreach(task, values, error) != METAFLOW_OK) return METAFLOW_INTERNAL;
  return store(task, "items", "<class 'list'>", metaflow_buffer_new(list, size), error);
}

static metaflow_status run_square(metaflow_task* task, metaflow_error** error) {
  metaflow_buffer* items = NULL;
  metaflow_status status = metaflow_task_load(task, 0, "items", &items, error);
  int item;
  if (status != METAFLOW_OK) return status;
  item = ((unsigned char*)metaflow_buffer_data(items))[6 + 2 * number_in(task, "\"index\": ")];
  metaflow_buffer_free(items);
  return store(task, "squared", "<class 'int'>", pickle_of(item * item), error);
}

static metaflow_status run_join(metaflow_task* task, metaflow_error** error) {
  int total = 0;
  size_t i;
  for (i = 0; i < metaflow_task_input_count(task); ++i) {
    int squared = 0;
    const metaflow_status status = load(task, i, "squared", &squared, error);
    if (status != METAFLOW_OK) return status;
    total += squared;
  }
  if (metaflow_task_pass(task, "given", 0, "items", error) != METAFLOW_OK) return METAFLOW_INTERNAL;
  return store(task, "total", "<class 'int'>", pickle_of(total), error);
}

static metaflow_status run_end(metaflow_task* task, metaflow_error** error) {
  int total = 0;
  const metaflow_status status = load(task, METAFLOW_INHERITED, "total", &total, error);
  if (status == METAFLOW_OK) printf("the total is %d, after %d forks\n", total, forks);
  return status == METAFLOW_OK ? metaflow_task_drop(task, "given", error) : status;
}

/* As the options ask for it. */
static metaflow_status fail(metaflow_task* task, metaflow_error** error) {
  if (chosen("\"exit\"")) exit(202);
  if (chosen("\"signal\"")) abort();
  if (chosen("\"stubborn\"")) signal(SIGINT, SIG_IGN), signal(SIGTERM, SIG_IGN);
  if (chosen("\"wait\"") || chosen("\"stubborn\"")) {
    puts("it waits");
    for (;;) pause();
  }
  if (chosen("\"constant\"")) return store(task, "factor", "<class 'int'>", pickle_of(1), error);
  if (chosen("\"error\"")) return refuse(error, METAFLOW_EXHAUSTED, "The step ran out of luck.");
  if (chosen("\"silent\"")) return METAFLOW_DENIED;
  metaflow_task_fail(task, "c.Problem", "it was asked to", "c_flow.c, line 1\nc.Problem: it was asked to\n",
                     chosen("\"headline\"") ? "Own heading" : NULL);
  return METAFLOW_OK;
}

static metaflow_status run_step(void* user, size_t index, metaflow_task* task, metaflow_error** error) {
  static const char* const names[] = {"\"break\": \"start\"", "\"break\": \"square\"", "\"break\": \"join\"",
                                      "\"break\": \"end\""};
  (void)user;
  if (chosen(names[index]) && !(chosen("\"once\": true") && number_in(task, "\"retry_count\": ") > 0))
    return fail(task, error);
  if (index == start) return run_start(task, error);
  if (index == square) return run_square(task, error);
  return index == join ? run_join(task, error) : run_end(task, error);
}

static int fork_process(void* user) {
  const int process = fork();
  (void)user;
  if (process == 0) ++forks;
  return process;
}

static void leave_process(void* user) { fputs((const char*)user, stdout); }

int main(int argc, char** argv) {
  const metaflow_flow_functions functions = {sizeof functions, configure,    parse_parameter, default_parameter,
                                             run_step,         fork_process, leave_process};
  char described[8192];
  metaflow_flow* flow = NULL;
  metaflow_error* error = NULL;
  int code;
  snprintf(described, sizeof described, description, "[]", "[]");
  if (metaflow_flow_new(described, &functions, "the process leaves\n", &flow, &error) != METAFLOW_OK) {
    fprintf(stderr, "%s\n", metaflow_error_message(error));
    metaflow_error_free(error);
    return 3;
  }
  code = metaflow_flow_command_line(flow, argc, (const char* const*)argv);
  metaflow_flow_free(flow);
  return code;
}
