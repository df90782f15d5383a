#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

/// A whole flow as plain values. C++ structs, Python classes and R pipelines are all lowered to this; nothing in it
/// runs anything.
namespace [[gnu::visibility("default")]] metaflow {
namespace model {

/// What a step's body takes beside the flow itself.
enum class Takes { nothing, item, branches };

/// How a step hands over to its successors.
enum class Transition {
  none,      ///< no transition was written: right for the terminal step only
  invalid,   ///< one was written that has none of the known forms (bindings only)
  linear,    ///< one successor
  split,     ///< several successors, all of them run
  foreach,   ///< one successor, run once for each item of an artifact
  parallel,  ///< one successor, run as a gang of num_parallel tasks
  switch_on  ///< several successors, of which an artifact's value chooses one
};

/// Most tasks of a gang: a slip is stopped before it starts more.
inline constexpr int max_parallel = 10'000;

/// `@retry(times=3)` is {"retry", {{"times", "3"}}}: attribute values are JSON text.
struct Decorator {
  std::string name;
  std::vector<std::pair<std::string, std::string>> attributes;
  bool statically_defined = true;  ///< false when it came from --with

  bool operator==(const Decorator&) const = default;
};

/// One way out of a switch step.
struct SwitchCase {
  std::string value;   ///< as `_graph_info` shows it: `fast`, `3`, `True`
  std::string target;  ///< the step it leads to

  bool operator==(const SwitchCase&) const = default;
};

struct Step {
  std::string name;
  Takes takes = Takes::nothing;
  /// Formal arguments beside the flow; only bindings can get this wrong (lint rule 7).
  int argument_count = 0;
  Transition transition = Transition::none;
  std::vector<std::string> next;    ///< targets in the order written; for a switch each target once per case
  std::string foreach_artifact;     ///< foreach only
  std::string condition;            ///< switch only: the artifact or parameter asked
  std::vector<SwitchCase> cases;    ///< switch only
  std::optional<int> num_parallel;  ///< parallel only, when known before the run
  bool marked_start = false, marked_end = false;
  std::string documentation;
  std::string source_file;            ///< absolute where known
  int line = 0;                       ///< 1-based, 0 when unknown
  int transition_line = 0;            ///< of its transition; 0 when unknown
  std::vector<Decorator> decorators;  ///< in order of application
};

/// How the text of a parameter on the command line becomes a value.
enum class ParameterKind { value, include_file };

struct Parameter {
  std::string name;       ///< option name, without `--`
  std::string attribute;  ///< artifact name; the same for C++ flows
  ParameterKind kind = ParameterKind::value;
  std::string type_name = "TEXT";  ///< INTEGER FLOAT TEXT BOOLEAN JSON FILEPATH, or [a|b|c] for a choice
  std::string help;
  bool required = false;                    ///< and has no default
  std::optional<std::string> default_text;  ///< as help shows it; nothing when there is none or it is computed
  bool is_text = true;                      ///< include files only: text or bytes
};

/// A value that belongs to the flow: each run stores it under its name, and no step can change it.
struct Constant {
  std::string name;
  std::string type;    ///< Python's text for it: `<class 'int'>`
  std::string pickle;  ///< the value

  bool operator==(const Constant&) const = default;
};

struct Flow {
  std::string name;
  std::string documentation;
  std::string source_file;
  std::vector<Step> steps;  ///< in the order written
  std::vector<Parameter> parameters;
  std::vector<Constant> constants;
};

}  // namespace model
}  // namespace gnu::visibility("default")]]metaflow
