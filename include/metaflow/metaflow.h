#ifndef METAFLOW_METAFLOW_H
#define METAFLOW_METAFLOW_H

/**
 * The C interface of the engine: what a language needs to define flows, run them and read results back.
 *
 * Conventions, for every function:
 * - Text is UTF-8 and ends with a zero byte; structured values travel as JSON text, described in docs/formats/c-interface.md.
 * - Handles are opaque. Each has one function that frees it, which also takes NULL.
 * - What can fail returns a metaflow_status. When that is not METAFLOW_OK and `error` is not NULL, `*error` takes an error that
 *   the caller frees; other results are left as they were.
 * - Nothing throws, exits, or prints, but for metaflow_flow_command_line() and what it calls, whose purpose that is.
 * - Unless said otherwise a handle may be used from several threads, one call at a time; different handles at the same time.
 * - No function needs a lock of the caller's (such as Python's GIL) to be held.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define METAFLOW_API __attribute__((visibility("default")))

/** Of this interface. It grows when something is added, and 1 more in the first part means that something changed. */
#define METAFLOW_ABI_MAJOR 1
#define METAFLOW_ABI_MINOR 1

/** METAFLOW_ABI_MAJOR * 1000 + METAFLOW_ABI_MINOR of the library that is loaded. */
METAFLOW_API int metaflow_abi_version(void);
/** Such as `2.19.38+cpp.0.1.0`: the level of Metaflow that the engine is compatible with, and its own version. */
METAFLOW_API const char* metaflow_version(void);

/* --- Errors and bytes ------------------------------------------------------------------------------------------------ */

typedef enum metaflow_status {
  METAFLOW_OK = 0,
  METAFLOW_USAGE = 1,       /**< the command line or an option is wrong */
  METAFLOW_INVALID = 2,     /**< a value, a graph or a name is not acceptable */
  METAFLOW_NOT_FOUND = 3,   /**< what was asked for does not exist */
  METAFLOW_CONFLICT = 4,    /**< somebody else holds or has already made it */
  METAFLOW_DENIED = 5,      /**< permission is missing, or it is in another namespace */
  METAFLOW_UNAVAILABLE = 6, /**< a service or device does not answer now; trying again may help */
  METAFLOW_EXHAUSTED = 7,   /**< no space, memory, descriptors or attempts left */
  METAFLOW_CANCELLED = 8,   /**< stopped on request */
  METAFLOW_CORRUPT = 9,     /**< stored bytes are damaged */
  METAFLOW_INTERNAL = 10    /**< a bug of the engine */
} metaflow_status;

typedef struct metaflow_error metaflow_error;
/** A new error, for functions of the caller's that the engine calls. `headline` may be NULL. */
METAFLOW_API metaflow_error* metaflow_error_new(metaflow_status status, const char* message, const char* headline);
METAFLOW_API metaflow_status metaflow_error_status(const metaflow_error* error);
/** One or two sentences for the user. Both texts live as long as the error. */
METAFLOW_API const char* metaflow_error_message(const metaflow_error* error);
/** The heading a command line shows it under; empty for the usual one. */
METAFLOW_API const char* metaflow_error_headline(const metaflow_error* error);
METAFLOW_API void metaflow_error_free(metaflow_error* error);

/** Bytes that belong to the engine. */
typedef struct metaflow_buffer metaflow_buffer;
/** A copy of `size` bytes, for functions of the caller's that return bytes. */
METAFLOW_API metaflow_buffer* metaflow_buffer_new(const void* data, size_t size);
/** Aligned to 64 bytes; a zero byte follows the last one of JSON and other text. Writable: nobody else reads them. */
METAFLOW_API void* metaflow_buffer_data(metaflow_buffer* buffer);
METAFLOW_API size_t metaflow_buffer_size(const metaflow_buffer* buffer);
METAFLOW_API void metaflow_buffer_free(metaflow_buffer* buffer);

/** Bytes that belong to the caller, unchanged while the call lasts. */
typedef struct metaflow_bytes {
  const void* data;
  size_t size;
} metaflow_bytes;

/* --- A flow and its command line --------------------------------------------------------------------------------------- */

/** A running task attempt; lives as long as the call of run_step it was given to. */
typedef struct metaflow_task metaflow_task;

/**
 * What the engine calls. Each gets `user` as it was given to metaflow_flow_new(). All are called in the thread that called
 * metaflow_flow_command_line(), or in that thread of a forked process. One that fails returns another status than METAFLOW_OK and may
 * leave an error made by metaflow_error_new() in `*error`, which the engine frees. Those marked as optional may be NULL.
 */
typedef struct metaflow_flow_functions {
  /** sizeof(metaflow_flow_functions), so that a later library knows what an earlier caller did not set. */
  size_t size;

  /**
   * The command line has been read as far as it does not depend on the flow's code: `{"command": text, "options": {name: value},
   * "with": [spec]}`. `options` are those given of the description's own `options`; `with` are the decorators of `--with` and of the
   * configuration, in order of precedence. `*description` takes the flow as it is to be executed, with the decorators attached,
   * with the system tags of runs and, for `package ...`, its code; an empty `*description` leaves it as it was. Optional: without it the engine attaches decorators, of those that it knows.
   */
  metaflow_status (*configure)(void* user, const char* choices_json, metaflow_buffer** description,
                               metaflow_error** error);

  /** The value of a text given for parameters[index], as a pickle; `*type` as Python prints it, `<class 'int'>`. */
  metaflow_status (*parse_parameter)(void* user, size_t index, const char* text, metaflow_buffer** pickle,
                                     metaflow_buffer** type, metaflow_error** error);
  /** The default of parameters[index]; `*pickle` stays NULL when there is none. Of an include file, its path as a str. */
  metaflow_status (*default_parameter)(void* user, size_t index, const char* user_name, metaflow_buffer** pickle,
                                       metaflow_buffer** type, metaflow_error** error);

  /** Runs the body of steps[index], stores what it set, and says by metaflow_task_…() how it ended. An error: the engine fails the
   * attempt with it as its failure. */
  metaflow_status (*run_step)(void* user, size_t index, metaflow_task* task, metaflow_error** error);

  /** Forks this process and returns what fork(2) does: for languages with state of their own to be kept right. Optional. */
  int (*fork_process)(void* user);
  /** The process of a task is about to end, after the outcome has been stored: flush what is buffered, stop threads. Optional. */
  void (*leave_process)(void* user);
} metaflow_flow_functions;

typedef struct metaflow_flow metaflow_flow;

/**
 * A flow from its description: `{"name", "documentation", "source_file", "steps": [...], "parameters": [...], "constants": [...],
 * "options": [...], "system_tags": [...], "command": [...], ...}`. `functions` is copied. METAFLOW_INVALID says what is
 * wrong with the description; the graph itself is judged by the commands that need it.
 */
METAFLOW_API metaflow_status metaflow_flow_new(const char* description_json, const metaflow_flow_functions* functions,
                                               void* user, metaflow_flow** flow, metaflow_error** error);
METAFLOW_API void metaflow_flow_free(metaflow_flow* flow);

/** What is wrong with the graph, as JSON: `[{"message": text, "step": text, "line": integer, "file": text}]`, empty when nothing is. */
METAFLOW_API metaflow_status metaflow_flow_check(metaflow_flow* flow, metaflow_buffer** findings,
                                                 metaflow_error** error);

/**
 * The command line of a flow program (`run`, `show`, ...): prints, handles signals, starts processes, and returns the exit code when
 * the command is done. To be called by the main thread. Where tasks are forked, before other threads exist.
 */
METAFLOW_API int metaflow_flow_command_line(metaflow_flow* flow, int argc, const char* const* argv);

/* --- Inside a task ----------------------------------------------------------------------------------------------------- */

/** Who and where it is: `{"flow_name", "run_id", "step_name", "task_id", "retry_count", "origin_run_id", "user_name", "namespace",
 * "tags", "foreach_stack", "parallel", "max_user_code_retries", "is_last_attempt"}`. */
METAFLOW_API metaflow_status metaflow_task_current(metaflow_task* task, metaflow_buffer** json, metaflow_error** error);
/** Path of a folder for this attempt alone: made now, removed after the attempt. */
METAFLOW_API metaflow_status metaflow_task_temporary_folder(metaflow_task* task, metaflow_buffer** path,
                                                            metaflow_error** error);

/** What the task starts from, as a source: its single parent's artifacts, or parameters and constants only for a join. */
#define METAFLOW_INHERITED ((size_t)-1)
/** The tasks before this one, sources 0 to n - 1: one for ordinary steps; for a join one per branch, in split order. */
METAFLOW_API size_t metaflow_task_input_count(const metaflow_task* task);
/** `{"pathspec", "step_name", "foreach_stack", "artifacts": {name: {"key", "type", "size", "encoding"}}}`, private names too. This
 * and the next three may be called from any thread, several at once. */
METAFLOW_API metaflow_status metaflow_task_source(metaflow_task* task, size_t source, metaflow_buffer** json,
                                                  metaflow_error** error);
/** The pickle stored under `name`, its digest verified. METAFLOW_NOT_FOUND when that task left no such artifact. */
METAFLOW_API metaflow_status metaflow_task_load(metaflow_task* task, size_t source, const char* name,
                                                metaflow_buffer** pickle, metaflow_error** error);
/** The pickle of one item of a list, cut out of that of the list, so that a foreach task need not unpickle what it has no use for.
 * `*pickle` stays NULL when that cannot be done: it is no list, or its items refer to each other; then load all of it. */
METAFLOW_API metaflow_status metaflow_task_load_item(metaflow_task* task, size_t source, const char* name, size_t index,
                                                     metaflow_buffer** pickle, metaflow_error** error);
/** Content of an include file by the `url` of its descriptor, unpacked. */
METAFLOW_API metaflow_status metaflow_task_included_file(metaflow_task* task, const char* url,
                                                         metaflow_buffer** content, metaflow_error** error);

/** One value to be stored: its pickle in pieces, which are written one after another without being joined. */
typedef struct metaflow_artifact {
  const char* name;
  const char* type; /**< as Python prints it: `<class 'int'>` */
  const metaflow_bytes* pieces;
  size_t piece_count;
} metaflow_artifact;
/** Stores values, several at once in parallel; what was stored under a name before is replaced. METAFLOW_INVALID for the name of a
 * parameter or constant. */
METAFLOW_API metaflow_status metaflow_task_store(metaflow_task* task, const metaflow_artifact* artifacts, size_t count,
                                                 metaflow_error** error);
/** Makes `name` refer to what `source` has under `source_name`, without loading it. */
METAFLOW_API metaflow_status metaflow_task_pass(metaflow_task* task, const char* name, size_t source,
                                                const char* source_name, metaflow_error** error);
/** Neither this task nor those after it have `name`. */
METAFLOW_API metaflow_status metaflow_task_drop(metaflow_task* task, const char* name, metaflow_error** error);

/** How the body ended; without any of these, by its static transition. The last call of each counts. */
/** By an exception. `headline` is NULL for one of the user's, and the heading of the error block for one of Metaflow's. */
METAFLOW_API void metaflow_task_fail(metaflow_task* task, const char* type, const char* message, const char* stacktrace,
                                     const char* headline);
/** foreach steps: display text of each item as a JSON list of text; as many as there are splits. */
METAFLOW_API metaflow_status metaflow_task_foreach(metaflow_task* task, const char* values_json,
                                                   metaflow_error** error);
/** switch steps: the step chosen. */
METAFLOW_API void metaflow_task_choose(metaflow_task* task, const char* step);
/** steps with num_parallel: how many nodes. */
METAFLOW_API void metaflow_task_parallel(metaflow_task* task, int64_t num_parallel);

/* --- Reading runs back --------------------------------------------------------------------------------------------------- */

/**
 * Runs below one root, as one namespace sees them. What may still change is asked anew by each call; what cannot change any more is
 * read once. Safe to use from several threads at once.
 */
typedef struct metaflow_client metaflow_client;
/** `{"folder": path that holds .metaflow, "root": the .metaflow folder itself, "namespace": text or null for all runs, "spin": boolean}`;
 * each may be left out. */
METAFLOW_API metaflow_status metaflow_client_new(const char* options_json, metaflow_client** client,
                                                 metaflow_error** error);
METAFLOW_API void metaflow_client_free(metaflow_client* client);
/** `user:<name>` or `production:<token>`, by who runs this program; inside a task, the namespace of its run; `null` when that is the global one. */
METAFLOW_API metaflow_status metaflow_client_default_namespace(metaflow_buffer** json, metaflow_error** error);

/** One object by its pathspec (`Flow` to `Flow/run/step/task/artifact`; empty: all flows) as a JSON object of all that is known about it.
 * `attempt` -1: the latest that is done; others for tasks and artifacts only. METAFLOW_DENIED: in another namespace. */
METAFLOW_API metaflow_status metaflow_client_object(metaflow_client* client, const char* pathspec, int attempt,
                                                    metaflow_buffer** json, metaflow_error** error);
/** Ids of what lies below it, newest first, as a JSON list of text. Of a flow: runs that have all tags of `tags_json`, a JSON list;
 * NULL is none. Of a task: names of artifacts, private ones too. */
METAFLOW_API metaflow_status metaflow_client_children(metaflow_client* client, const char* pathspec, int attempt,
                                                      const char* tags_json, metaflow_buffer** json,
                                                      metaflow_error** error);
/** The pickle of an artifact; the content of an include file comes as a pickled str or bytes. */
METAFLOW_API metaflow_status metaflow_client_artifact(metaflow_client* client, const char* pathspec, int attempt,
                                                      metaflow_buffer** pickle, metaflow_error** error);
/** What a task printed so far: `[{"time": microseconds or null, "text": line}]`; `stream` is `stdout` or `stderr`. */
METAFLOW_API metaflow_status metaflow_client_log(metaflow_client* client, const char* pathspec, int attempt,
                                                 const char* stream, metaflow_buffer** json, metaflow_error** error);
/** Pathspecs that led to a step or task, or that it led to: `relation` is `parents` or `children`; a JSON list of text. */
METAFLOW_API metaflow_status metaflow_client_related(metaflow_client* client, const char* pathspec,
                                                     const char* relation, metaflow_buffer** json,
                                                     metaflow_error** error);
/** Changes the user tags of a run, both at once; JSON lists of text. */
METAFLOW_API metaflow_status metaflow_client_change_tags(metaflow_client* client, const char* pathspec,
                                                         const char* removed_json, const char* added_json,
                                                         metaflow_error** error);

/* --- Runs as processes of their own ------------------------------------------------------------------------------------- */

/** A flow program started to execute `run`, `resume` or `spin`, and watched. */
typedef struct metaflow_run metaflow_run;
/** `{"arguments": [program, word...], "folder": working directory, "environment": {name: value or null}}`: the words as they would
 * be typed; the last two may be left out. Returns once the process has started. */
METAFLOW_API metaflow_status metaflow_run_start(const char* options_json, metaflow_run** run, metaflow_error** error);
/**
 * Waits for something to happen, for at most `timeout_ms` milliseconds (-1: without limit), and tells it as JSON:
 * `{"event": "output", "stream": "stdout", "text": ...}`, `{"event": "attributes", "run_id": ...}` once the run has its id,
 * `{"event": "ended", "code": integer, "signal": integer}` once, as the last; `{"event": "none"}` when the time is over.
 */
METAFLOW_API metaflow_status metaflow_run_poll(metaflow_run* run, int timeout_ms, metaflow_buffer** json,
                                               metaflow_error** error);
/** Asks the run to stop, as Ctrl-C does; a second call kills it. Returns at once; may be called while another thread polls. */
METAFLOW_API metaflow_status metaflow_run_cancel(metaflow_run* run, metaflow_error** error);
/** Kills what still runs. */
METAFLOW_API void metaflow_run_free(metaflow_run* run);

#ifdef __cplusplus
}
#endif

#endif
