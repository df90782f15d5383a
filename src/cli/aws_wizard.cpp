#include "cli/aws_wizard.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>
#include <set>

#include <metaflow/error.hpp>

#include <fmt/format.h>

#include "base/known_settings.hpp"
#include "base/text.hpp"
#include "cli/aws_names.hpp"
#include "cli/help_text.hpp"
#include "cli/suggestion.hpp"

namespace metaflow::cli {
namespace {

using Mistake = std::optional<std::string>;

constexpr std::string_view datastore_root = "DATASTORE_SYSROOT_S3";
constexpr std::string_view queue_name = "BATCH_JOB_QUEUE";
constexpr std::string_view job_role = "ECS_S3_ACCESS_IAM_ROLE";
constexpr std::string_view execution_role = "ECS_FARGATE_EXECUTION_ROLE";
constexpr std::string_view image_name = "BATCH_CONTAINER_IMAGE";

/// What an answer comes to.
struct Judgement {
  std::string value;               ///< to be stored, if there is no mistake
  Mistake mistake = std::nullopt;  ///< behind the answer in quotes: `'x' should begin with s3://`
  std::string doubt = {};          ///< a sentence: it may be used all the same
  std::string remark = {};         ///< a sentence
};

struct Question {
  std::string_view name;   ///< of the setting
  std::string_view title;  ///< what it is, in words
  std::string_view help;   ///< what the words mean
  bool is_needed = true;
  std::vector<std::string> choices = {};  ///< may be answered by number
  std::vector<std::string> notes = {};    ///< behind each choice
  std::function<Judgement(const std::string&)> judge = {};
};

template <class T>
const T* answered(const Answer<T>& answer) {
  return std::get_if<T>(&answer);
}

/// The number of a choice, from 1.
std::optional<std::size_t> number_in(const std::string& text, std::size_t most) {
  std::size_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = problem == std::errc() && end == text.data() + text.size();
  return is_number && number >= 1 && number <= most ? std::optional(number) : std::nullopt;
}

class Wizard {
 public:
  Wizard(const AwsSetup& setup, Dialogue& dialogue) : setup_(setup), dialogue_(dialogue), settings_(setup.stored) {}

  Settings run(std::string_view file) {
    introduce();
    apply_given();
    ask_datastore();
    if (wants_batch()) ask_batch();
    confirm(file);
    return settings_;
  }

 private:
  bool asks() const { return setup_.questions == Questions::asked; }
  void say(std::string_view text) { dialogue_.say(text); }

  std::optional<std::string> stored(std::string_view name) const {
    const auto found = setup_.stored.find(setting_key(name));
    return found == setup_.stored.end() ? std::nullopt : setting_text(found->second);
  }
  std::optional<std::string> chosen(std::string_view name) const {
    const auto found = settings_.find(setting_key(name));
    return found == settings_.end() ? std::nullopt : setting_text(found->second);
  }
  void set(std::string_view name, const std::string& value) { settings_[setting_key(name)] = value; }
  void remove(std::string_view name) { settings_.erase(setting_key(name)); }

  void introduce() {
    if (asks()) say("Enter takes what is in [brackets], '-' removes it; Ctrl-C leaves everything as it is.");
    if (setup_.account == nullptr) {
      say("AWS is not asked: answers are checked for their form, and not verified.");
      return;
    }
    const auto caller = setup_.account->caller();
    if (const auto* known = answered(caller)) {
      account_ = known->account;
      say(fmt::format("Answers are verified with the keys of {} in account {}.", known->arn, known->account));
    } else {
      say(std::get<CannotBeAsked>(caller).sentence);
    }
  }

  /// What no question is about; the rest waits for its question.
  void apply_given() {
    for (const auto& [name, value] : setup_.given) {
      if (value.empty())
        remove(name);
      else
        set(name, value);
    }
  }

  // The datastore

  void ask_datastore() {
    Question question{
        .name = datastore_root,
        .title = "Datastore: where artifacts, logs and code of all runs are stored",
        .help = "A bucket is S3's word for a drive. s3://BUCKET/PREFIX keeps it to one folder of a bucket."};
    if (setup_.account != nullptr && asks()) {
      const auto buckets = setup_.account->buckets();
      if (const auto* names = answered(buckets))
        for (const auto& name : *names) question.choices.push_back(fmt::format("s3://{}/metaflow", name));
      else
        say(std::get<CannotBeAsked>(buckets).sentence);
    }
    question.judge = [this](const std::string& answer) { return judge_datastore(answer); };
    ask(question);
    set("DEFAULT_DATASTORE", "s3");
    move_roots();
  }

  Judgement judge_datastore(std::string url) {
    while (url.size() > std::string_view("s3://").size() && url.back() == '/') url.pop_back();
    Judgement judgement{.value = url, .mistake = mistake_in_s3_url(url)};
    if (judgement.mistake || setup_.account == nullptr) return judgement;
    const auto answer = setup_.account->obstacle_to_writing(url);
    if (const auto* obstacle = answered(answer))
      judgement.doubt = obstacle->value_or("");
    else
      judgement.remark = std::get<CannotBeAsked>(answer).sentence;
    return judgement;
  }

  /// Official stores roots below the datastore's in full: they go with it when it moves.
  void move_roots() {
    const auto before = stored(datastore_root);
    const auto after = chosen(datastore_root);
    if (!before || !after || *before == *after) return;
    for (const auto* name : {"DATATOOLS_S3ROOT", "CARD_S3ROOT"}) {
      const auto root = stored(name);
      if (!root || setup_.given.contains(name) || !root->starts_with(*before + '/')) continue;
      set(name, *after + root->substr(before->size()));
    }
  }

  // AWS Batch

  bool wants_batch() {
    const auto is_batch = [](std::string_view name) {
      return name == queue_name || name == job_role || name == execution_role || name == image_name;
    };
    const bool is_set_up = stored(queue_name).has_value();
    for (const auto& [name, value] : setup_.given)
      if (is_batch(name) && !value.empty()) return true;
    if (!asks()) return is_set_up && chosen(queue_name);
    say("\nAWS Batch: starts a machine for a step that asks for one with @batch, and stops it afterwards");
    return ask_yes_no("Run steps on AWS Batch?", is_set_up || !stored("DEFAULT_DATASTORE"));
  }

  void ask_batch() {
    ask_queue();
    ask_roles();
    Question image{.name = image_name,
                   .title = "Image: the container in which steps run",
                   .help =
                       "Any image that has what your steps import: NAME:TAG, or REGISTRY/NAME:TAG. Without one, steps "
                       "in Python run in python:3.x.",
                   .is_needed = false};
    image.judge = [](const std::string& answer) {
      return Judgement{.value = answer, .mistake = mistake_in_image(answer)};
    };
    ask(image);
  }

  void ask_queue() {
    Question question{.name = queue_name,
                      .title = "Job queue: where jobs wait for a machine",
                      .help =
                          "Its name or ARN, as the page of AWS Batch shows it; an ARN is the full name of a thing on "
                          "AWS, arn:aws:..."};
    if (setup_.account != nullptr) {
      const auto answer = setup_.account->queues();
      if (const auto* known = answered(answer))
        queues_ = *known;
      else
        say(std::get<CannotBeAsked>(answer).sentence);
    }
    if (queues_)
      for (const auto& queue : *queues_) {
        question.choices.push_back(queue.name);
        question.notes.push_back(fmt::format("{}; {}", queue.state, kind_text(queue.kind)));
      }
    question.judge = [this](const std::string& answer) { return judge_queue(answer); };
    ask(question);
  }

  static std::string_view kind_text(QueueKind kind) {
    if (kind == QueueKind::ec2) return "EC2";
    return kind == QueueKind::fargate ? "Fargate" : "EC2 or Fargate";
  }

  const JobQueue* find_queue(const std::string& answer) const {
    if (!queues_) return nullptr;
    const auto found = std::ranges::find_if(
        *queues_, [&](const JobQueue& queue) { return queue.name == answer || queue.arn == answer; });
    return found == queues_->end() ? nullptr : &*found;
  }

  Judgement judge_queue(const std::string& answer) const {
    Judgement judgement{.value = answer, .mistake = mistake_in_queue(answer)};
    if (judgement.mistake || !queues_) return judgement;
    const auto* queue = find_queue(answer);
    if (queue == nullptr)
      judgement.doubt = fmt::format("There is no queue '{}' in this account and region.", answer);
    else if (!queue->takes_jobs)
      judgement.doubt = fmt::format("The queue '{}' takes no jobs now: {}.", queue->name, queue->state);
    return judgement;
  }

  QueueKind kind_of_queue() const {
    const auto* queue = find_queue(chosen(queue_name).value_or(""));
    return queue == nullptr ? QueueKind::unknown : queue->kind;
  }

  void ask_roles() {
    if (setup_.account != nullptr) {
      const auto answer = setup_.account->container_roles();
      if (const auto* known = answered(answer))
        roles_ = *known;
      else
        say(std::get<CannotBeAsked>(answer).sentence);
    }
    ask_role(
        {.name = job_role,
         .title = "Job role: whom a job acts as",
         .help =
             "A role is a user of AWS without a password; this one must be allowed to read and write the bucket, and "
             "trust ecs-tasks.amazonaws.com. Name or ARN."});
    const auto kind = kind_of_queue();
    if (kind == QueueKind::ec2) return;
    ask_role({.name = execution_role,
              .title = "Execution role: who starts the container",
              .help = kind == QueueKind::fargate
                          ? "Fargate, where Amazon keeps the machines, fetches the image and writes logs as this "
                            "role; often ecsTaskExecutionRole. Name or ARN."
                          : "Needed if the queue is of Fargate, where Amazon keeps the machines: it fetches the "
                            "image as this role, often ecsTaskExecutionRole. Name or ARN; none for EC2.",
              .is_needed = kind == QueueKind::fargate});
  }

  void ask_role(Question question) {
    if (roles_)
      for (const auto& role : *roles_) question.choices.push_back(role.name);
    question.judge = [this](const std::string& answer) { return judge_role(answer); };
    ask(question);
  }

  /// A name becomes an ARN, which alone AWS Batch takes.
  Judgement judge_role(const std::string& answer) const {
    Judgement judgement{.value = answer, .mistake = mistake_in_role(answer)};
    if (judgement.mistake) return judgement;
    const auto is_meant = [&](const Role& role) { return role.name == answer || role.arn == answer; };
    const Role* known = nullptr;
    if (roles_)
      if (const auto found = std::ranges::find_if(*roles_, is_meant); found != roles_->end()) known = &*found;
    if (known != nullptr) judgement.value = known->arn;
    if (known == nullptr && roles_)
      judgement.doubt = fmt::format("There is no role '{}' in this account that containers may act as.", answer);
    if (!judgement.value.starts_with("arn:")) {
      const auto arn = arn_of_role(answer);
      if (!arn) {
        judgement.mistake =
            "is the name of a role, and in which account is not known here; give its ARN: "
            "arn:aws:iam::ACCOUNT:role/" +
            answer;
        return judgement;
      }
      judgement.value = *arn;
    }
    if (judgement.value != answer) judgement.remark = fmt::format("That is {}.", judgement.value);
    return judgement;
  }

  /// By the account that is asked, else that of an ARN among the settings.
  std::optional<std::string> arn_of_role(const std::string& name) const {
    std::string partition = "aws", account = account_;
    for (const auto setting : {queue_name, job_role, execution_role})
      if (const auto arn = parse_arn(chosen(setting).value_or("")); arn && !arn->account.empty()) {
        partition = arn->partition;
        if (account.empty()) account = arn->account;
        break;
      }
    if (account.empty()) return std::nullopt;
    return fmt::format("arn:{}:iam::{}:role/{}", partition, account, name);
  }

  // Asking

  /// Settles one setting: by what is given, else by asking, else by what is stored.
  void ask(const Question& question) {
    const auto given = setup_.given.find(std::string(question.name));
    if (given != setup_.given.end() && (!given->second.empty() || !question.is_needed)) {
      if (!given->second.empty()) settle_unasked(question, given->second, "--set ");
      return;
    }
    if (asks()) return ask_until_right(question);
    if (const auto value = chosen(question.name)) return settle_unasked(question, *value, "");
    if (question.is_needed)
      throw Error(ErrorCode::usage, fmt::format("METAFLOW_{} is needed ({}): --set {}=VALUE", question.name,
                                                question.title, question.name));
  }

  void settle_unasked(const Question& question, const std::string& text, std::string_view origin) {
    const auto judgement = question.judge(text);
    if (judgement.mistake)
      throw Error(ErrorCode::usage, fmt::format("{}{}: '{}' {}.", origin, question.name, text, *judgement.mistake));
    if (!judgement.doubt.empty())
      throw Error(ErrorCode::invalid, fmt::format("{}{}: {}", origin, question.name, judgement.doubt),
                  "Nothing was changed");
    if (!judgement.remark.empty()) say(fmt::format("{}: {}", question.name, judgement.remark));
    set(question.name, judgement.value);
  }

  void ask_until_right(const Question& question) {
    say(fmt::format("\n{}\n  {}", question.title, wrapped(question.help, 2)));
    for (std::size_t i = 0; i < question.choices.size(); ++i)
      say(fmt::format("  {}) {}{}", i + 1, question.choices[i],
                      question.notes.empty() ? "" : " (" + question.notes[i] + ")"));
    while (!settle(question, typed(question))) {
    }
  }

  std::string typed(const Question& question) {
    const auto value = chosen(question.name);
    auto offer = value ? fmt::format(" [{}]", *value) : std::string(question.is_needed ? "" : " [none]");
    return std::string(trimmed(dialogue_.ask(fmt::format("METAFLOW_{}{}: ", question.name, offer))));
  }

  /// Whether the answer will do.
  bool settle(const Question& question, std::string text) {
    if (text == "-" && !question.is_needed) return remove(question.name), true;
    if (text.empty()) {
      const auto value = chosen(question.name);
      if (!value && question.is_needed) return refuse("It is needed; Ctrl-C ends without a change."), false;
      if (!value) return true;
      text = *value;
    }
    if (const auto number = number_in(text, question.choices.size())) text = question.choices[*number - 1];
    const auto judgement = question.judge(text);
    if (judgement.mistake) return refuse(fmt::format("'{}' {}.", text, *judgement.mistake)), false;
    if (!judgement.doubt.empty()) {
      say("  " + judgement.doubt);
      if (!ask_yes_no("Use it all the same?", false)) return false;
    }
    if (!judgement.remark.empty()) say("  " + judgement.remark);
    set(question.name, judgement.value);
    return true;
  }

  void refuse(const std::string& sentence) {
    if (!dialogue_.can_ask_again()) throw Error(ErrorCode::invalid, sentence, "Nothing was changed");
    say("  " + sentence);
  }

  bool ask_yes_no(std::string_view question, bool otherwise) {
    for (;;) {
      const std::string answer(trimmed(dialogue_.ask(fmt::format("{} [{}]: ", question, otherwise ? "Y/n" : "y/N"))));
      if (answer.empty()) return otherwise;
      if (answer == "y" || answer == "Y" || answer == "yes") return true;
      if (answer == "n" || answer == "N" || answer == "no") return false;
      refuse(fmt::format("'{}' is neither y nor n.", answer));
    }
  }

  // The end

  void confirm(std::string_view file) {
    std::set<std::string> keys;
    for (const auto& [key, value] : setup_.stored) keys.insert(key);
    for (const auto& [key, value] : settings_) keys.insert(key);
    std::string lines;
    for (const auto& key : keys) lines += summary_line(key);
    say(fmt::format("\nThis is what {} will say:\n{}", file, lines.substr(0, lines.size() - 1)));
    if (asks() && !ask_yes_no("Write it?", true))
      throw Error(ErrorCode::cancelled, "As you wish: the configuration stays as it was.", "Nothing was changed");
  }

  std::string summary_line(const std::string& key) const {
    const auto before = setup_.stored.find(key), after = settings_.find(key);
    if (after == settings_.end()) return fmt::format("  {}   (removed)\n", key);
    const auto line = setting_line(key, setting_text(after->second).value_or(""), Secrets::masked);
    if (before == setup_.stored.end()) return fmt::format("  {}   (new)\n", line);
    return fmt::format("  {}{}\n", line, before->second == after->second ? "" : "   (changed)");
  }

  const AwsSetup& setup_;
  Dialogue& dialogue_;
  Settings settings_;
  std::string account_ = {};  ///< its number, if it is known
  std::optional<std::vector<JobQueue>> queues_ = std::nullopt;
  std::optional<std::vector<Role>> roles_ = std::nullopt;
};

}  // namespace

std::map<std::string, std::string> parse_given_settings(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> given;
  for (const auto& text : texts) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      throw Error(ErrorCode::usage, fmt::format("--set takes KEY=VALUE, not '{}'.", text));
    auto name = text.substr(0, equals);
    if (name.starts_with(setting_prefix)) name.erase(0, setting_prefix.size());
    const auto value = text.substr(equals + 1);
    const auto* known = find_known_setting(name);
    if (known == nullptr) {
      std::vector<std::string> names;
      for (const auto& each : known_settings()) names.emplace_back(each.name);
      throw Error(ErrorCode::usage,
                  fmt::format("There is no setting '{}'.{} 'metaflow configure show --all' lists them.", name,
                              did_you_mean(name, names)));
    }
    if (const auto mistake = value.empty() ? std::nullopt : mistake_in_value(*known, value))
      throw Error(ErrorCode::usage, fmt::format("--set {} {}.", name, *mistake));
    given[name] = value;
  }
  return given;
}

Settings choose_aws_settings(const AwsSetup& setup, std::string_view file, Dialogue& dialogue) {
  return Wizard(setup, dialogue).run(file);
}

std::string setting_line(std::string_view key, const std::string& text, Secrets secrets) {
  const auto name = key.starts_with(setting_prefix) ? key.substr(setting_prefix.size()) : key;
  const bool is_masked = secrets == Secrets::masked && is_secret_setting(name) && !text.empty();
  return fmt::format("{}={}", key, is_masked ? "********" : text);
}

}  // namespace metaflow::cli
