#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

/// JSON as the C interface takes it, and gives it. Reading is strict: what is missing, unknown or of another type is Error(invalid) that
/// names the member by its place: `steps[2].next`.
namespace metaflow::capi {

/// Members stay in the order written.
using Json = nlohmann::ordered_json;

/// `what` the text is, for errors: `The description of the flow`.
Json read_json(std::string_view text, std::string_view what);

/// On the way out: the text as a JSON string, or null.
std::string text_or_null(const std::optional<std::string>& text);

/// A value and its place, `steps[2].next`; empty for the whole.
struct Member {
  const Json& json;
  std::string place;
  const std::string& what;

  [[noreturn]] void refuse(std::string_view reason) const;
  std::string text() const;
  bool flag() const;
  std::int64_t integer(std::int64_t least, std::int64_t most) const;
  std::vector<Member> items() const;
  std::vector<std::string> texts() const;
  bool is_null() const { return json.is_null(); }
  /// One of `choices`, by its name.
  template <class Choice>
  Choice one_of(const std::vector<std::pair<std::string_view, Choice>>& choices) const;

 private:
  [[noreturn]] void refuse_choice(const std::vector<std::string_view>& names) const;
};

/// The members of one object. Each that may be there is asked for once; then refuse_others() finds the rest.
class Object {
 public:
  explicit Object(const Member& object);

  Member at(std::string_view name);
  /// Nothing when it is missing.
  std::optional<Member> find(std::string_view name);
  std::string text_or(std::string_view name, std::string fallback = "");
  bool flag_or(std::string_view name, bool fallback);
  std::int64_t integer_or(std::string_view name, std::int64_t fallback, std::int64_t least,
                          std::int64_t most = std::numeric_limits<std::int32_t>::max());
  std::vector<std::string> texts_or_none(std::string_view name);
  /// Nothing when it is missing or null.
  std::optional<std::string> optional_text(std::string_view name);
  /// None when it is missing.
  std::vector<Member> items_or_none(std::string_view name);
  void refuse_others() const;

 private:
  std::string place_of(std::string_view name) const;

  const Member object_;
  std::vector<std::string> known_;
};

template <class Choice>
Choice Member::one_of(const std::vector<std::pair<std::string_view, Choice>>& choices) const {
  const auto given = text();
  std::vector<std::string_view> names;
  for (const auto& [name, choice] : choices) {
    if (name == given) return choice;
    names.push_back(name);
  }
  refuse_choice(names);
}

}  // namespace metaflow::capi
