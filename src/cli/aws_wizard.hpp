#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/settings_file.hpp"
#include "cli/account.hpp"

/// The questions of `metaflow configure aws`: what is stored goes in, what is to be stored comes out. No terminal, no file.
namespace metaflow::cli {

/// Who is asked.
class Dialogue {
 public:
  virtual ~Dialogue() = default;

  virtual void say(std::string_view lines) = 0;
  /// The line that answers. Error(cancelled) when nobody answers any more.
  virtual std::string ask(const std::string& prompt) = 0;
  /// Whether there is somebody who can correct a wrong answer. Otherwise the first one is an Error(invalid).
  virtual bool can_ask_again() const = 0;
};

/// Whether questions are asked, or everything comes from `given` and what is stored.
enum class Questions { asked, unasked };

struct AwsSetup {
  Settings stored = {};                           ///< what the file says
  std::map<std::string, std::string> given = {};  ///< by names without METAFLOW_; an empty text removes one
  Questions questions = Questions::asked;
  Account* account = nullptr;  ///< null: nobody can be asked whether answers are true
};

/// `KEY=VALUE`, with METAFLOW_ or without, as parts of `AwsSetup::given`. Error(usage) for a name that is not known, and for a
/// value that is not of its kind.
std::map<std::string, std::string> parse_given_settings(const std::vector<std::string>& texts);

/// All that the file should say: the answers, and what is stored and was not asked. `file` is its name for the summary.
/// Error(usage) when something needed is neither given, stored nor asked, Error(cancelled) when the user does not want it.
Settings choose_aws_settings(const AwsSetup& setup, std::string_view file, Dialogue& dialogue);

enum class Secrets { masked, shown };
/// `METAFLOW_USER=ann`, for people; the values of secret settings are masked or shown.
std::string setting_line(std::string_view key, const std::string& text, Secrets secrets);

}  // namespace metaflow::cli
