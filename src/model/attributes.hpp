#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <metaflow/model.hpp>
#include <metaflow/value.hpp>

namespace metaflow::model {

/// Names and values of environment variables.
using Variables = std::vector<std::pair<std::string, std::string>>;

/// The attributes of one decorator by name, for whoever reads its settings. What is wrong with one is said with its step, decorator and
/// value, as Error(invalid).
class Attributes {
 public:
  /// Both outlive it.
  Attributes(const Step& step, const Decorator& decorator) : step_(step), decorator_(decorator) {}

  /// None when it is missing.
  Value value(std::string_view name) const;
  /// A number, or text that is one; nothing for None.
  std::optional<double> number(std::string_view name) const;
  double number_from_zero(std::string_view name, double fallback) const;
  std::optional<double> positive(std::string_view name) const;
  /// A whole number of this range; nothing for None.
  std::optional<std::int64_t> whole(std::string_view name, std::int64_t least, std::int64_t most) const;
  bool flag(std::string_view name, bool fallback) const;
  /// Empty for None.
  std::string text(std::string_view name) const;
  /// A list of texts, or one text; empty for None.
  std::vector<std::string> texts(std::string_view name) const;
  /// A dict of names and values; `what` says where it stands.
  Variables variables(const Value& value, std::string_view what) const;

  [[noreturn]] void refuse(std::string_view name, std::string_view what) const;
  [[noreturn]] void refuse_all(std::string_view what) const;

 private:
  const Step& step_;
  const Decorator& decorator_;
};

}  // namespace metaflow::model
