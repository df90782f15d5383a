#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <metaflow/codec.hpp>
#include <metaflow/detail/slot.hpp>
#include <metaflow/task.hpp>

namespace [[gnu::visibility("default")]] metaflow {

/// In place of a default: the command line has to give a value.
struct Required {};
inline constexpr Required required{};

struct ParameterOptions {
  /// Between the items of a list on the command line.
  std::string separator = ",";
};

namespace detail {

// Each throws Error(usage) that names the option, the text and what was expected.
bool parse_boolean(std::string_view option, std::string_view text);
std::int64_t parse_integer(std::string_view option, std::string_view text, std::int64_t lowest, std::int64_t highest);
std::uint64_t parse_unsigned(std::string_view option, std::string_view text, std::uint64_t highest);
double parse_real(std::string_view option, std::string_view text);
std::string parse_text(std::string_view option, std::string_view text);
Value parse_json_value(std::string_view option, std::string_view text);
[[noreturn]] void throw_no_choice(std::string_view option, std::string_view text, std::string_view choices);
std::vector<std::string_view> split_list(std::string_view text, std::string_view separator);
/// As help shows a default value.
std::string default_text(const Value& value);
/// The same bytes, none of them borrowed.
Encoded owned(const Encoded& value);
/// What an include file's artifact names; nothing for None.
std::optional<std::string> included_url(Buffer pickle);
void require_utf8(std::string_view content, std::string_view parameter);

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
concept ParameterList = ListLike<T> && !ByteItem<typename T::value_type>;

/// `[low|high]`
template <class Enum>
std::string choices() {
  std::string text = "[";
  for (const auto name : enumerators<Enum>)
    if (!name.empty()) text += (text.size() > 1 ? "|" : "") + std::string(name);
  return text + "]";
}

template <class T>
std::string parameter_type() {
  if constexpr (std::same_as<T, bool>)
    return "BOOLEAN";
  else if constexpr (std::integral<T>)
    return "INTEGER";
  else if constexpr (std::floating_point<T>)
    return "FLOAT";
  else if constexpr (std::is_enum_v<T>)
    return choices<T>();
  else if constexpr (std::same_as<T, Value>)
    return "JSON";
  else if constexpr (is_optional<T>)
    return parameter_type<typename T::value_type>();
  else
    return "TEXT";
}

template <class T>
concept ParameterScalar = std::same_as<T, std::string> || std::same_as<T, Value> || std::integral<T> ||
    std::floating_point<T> || std::is_enum_v<T>;
template <class T>
concept ParameterValue = ParameterScalar<T> ||
    ((is_optional<T> || ParameterList<T>)&&ParameterScalar<typename T::value_type>);

template <class T>
T parse_parameter(std::string_view option, std::string_view text, const ParameterOptions& options) {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::same_as<T, bool>)
    return parse_boolean(option, text);
  else if constexpr (std::unsigned_integral<T>)
    return static_cast<T>(parse_unsigned(option, text, Limits::max()));
  else if constexpr (std::integral<T>)
    return static_cast<T>(parse_integer(option, text, Limits::min(), Limits::max()));
  else if constexpr (std::floating_point<T>)
    return static_cast<T>(parse_real(option, text));
  else if constexpr (std::same_as<T, std::string>)
    return parse_text(option, text);
  else if constexpr (std::same_as<T, Value>)
    return parse_json_value(option, text);
  else if constexpr (is_optional<T>)
    return parse_parameter<typename T::value_type>(option, text, options);
  else if constexpr (std::is_enum_v<T>) {
    T value{};
    if (!find_enumerator(text, value)) throw_no_choice(option, text, choices<T>());
    return value;
  } else {
    T list;
    for (const auto item : split_list(text, options.separator))
      list.push_back(parse_parameter<typename T::value_type>(option, item, options));
    return list;
  }
}

/// What the command line needs to know of a parameter.
class ParameterSlot : public Slot {
 public:
  virtual model::Parameter describe(std::string_view name) const = 0;
  /// As ParameterBinding has it; `name` is the option.
  virtual Encoded parse(std::string_view name, std::string_view text) const = 0;
  virtual std::optional<Encoded> default_value(const ParameterContext& context) const = 0;

 private:
  bool is_artifact() const final { return false; }
  Encoded encode_value() const final { return {}; }
};

}  // namespace detail

/// A value that the command line may set when a run starts, as `--<member name>`; the same for all steps and read-only.
///
///     mf::Parameter<int> depth{5, "Levels of the tree"};
///     mf::Parameter<std::string> table{mf::required, "Table of films"};
///     mf::Parameter<std::optional<double>> limit{std::nullopt, "Stop above this"};
///     mf::Parameter<std::vector<std::string>> names{{"a", "b"}, "Names", {.separator = ";"}};
///     mf::Parameter<mf::Json> settings{R"({"deep": true})", "Settings as JSON"};
///     mf::Parameter<std::string> day{[] { return today(); }, "Day to look at"};
///
/// T is bool, an integer, a floating point number, std::string, an enumeration (given by the enumerator's name), Json,
/// or an optional or list of these. A default may be computed when the run starts, by a callable that takes nothing or
/// a `const mf::ParameterContext&`.
///
/// `*p` reads the value, in any step and from several threads; outside a running task it is the default.
template <class T>
class Parameter : public detail::ParameterSlot {
  static_assert(detail::ParameterValue<T>,
                "a parameter is a bool, number, std::string, enumeration, mf::Json, or an optional or list of these");

 public:
  using value_type = T;

  Parameter(Required, std::string help = {}, ParameterOptions options = {})
      : default_(std::monostate()), help_(std::move(help)), options_(std::move(options)) {}
  Parameter(T fallback, std::string help = {}, ParameterOptions options = {})
      : default_(std::in_place_index<1>, std::move(fallback)), help_(std::move(help)), options_(std::move(options)) {}
  /// JSON parameters: the default as JSON text. Error(usage) when the run starts and it is none.
  Parameter(const char* json, std::string help = {}) requires std::same_as<T, Value>
      : default_(std::in_place_index<2>,
                 [text = std::string(json)](const ParameterContext& context) {
                   return detail::parse_json_value(context.parameter_name, text);
                 }),
        default_text_(json),
        help_(std::move(help)) {}
  Parameter(const char*, std::string = {}) requires std::same_as<T, bool>
  = delete;
  template <class Compute>
  requires std::is_invocable_r_v<T, Compute> Parameter(Compute compute, std::string help = {},
                                                       ParameterOptions options = {})
      : default_(std::in_place_index<2>, [compute](const ParameterContext&) -> T { return compute(); }),
        help_(std::move(help)),
        options_(std::move(options)) {}
  template <class Compute>
  requires std::is_invocable_r_v<T, Compute, const ParameterContext&> Parameter(Compute compute, std::string help = {},
                                                                                ParameterOptions options = {})
      : default_(std::in_place_index<2>, std::move(compute)), help_(std::move(help)), options_(std::move(options)) {}
  Parameter(const Parameter& other)
      : ParameterSlot(other),
        default_(other.default_),
        default_text_(other.default_text_),
        help_(other.help_),
        options_(other.options_) {}
  Parameter& operator=(const Parameter&) = delete;

  const T& operator*() const& { return get(); }
  const T* operator->() const { return &get(); }
  operator const T&() const& { return get(); }
  const T& value() const& { return get(); }

  template <class U>
  requires(!std::derived_from<U, detail::Slot>) && requires(const T& a, const U& b) {
    { a == b } -> std::convertible_to<bool>;
  }
  friend bool operator==(const Parameter& a, const U& b) { return a.get() == b; }

  model::Parameter describe(std::string_view name) const override {
    model::Parameter parameter;
    parameter.name = parameter.attribute = std::string(name);
    parameter.type_name = detail::parameter_type<T>();
    parameter.help = help_;
    parameter.required = default_.index() == 0;
    parameter.default_text = default_text_;
    if (const auto* fallback = std::get_if<1>(&default_)) parameter.default_text = shown(*fallback);
    return parameter;
  }
  Encoded parse(std::string_view name, std::string_view text) const override {
    return detail::owned(encode(detail::parse_parameter<T>(name, text, options_)));
  }
  std::optional<Encoded> default_value(const ParameterContext& context) const override {
    if (const auto* compute = std::get_if<2>(&default_)) return detail::owned(encode((*compute)(context)));
    if (const auto* value = std::get_if<1>(&default_)) return detail::owned(encode(*value));
    return std::nullopt;
  }

 private:
  using Compute = std::function<T(const ParameterContext&)>;

  std::optional<std::string> shown(const T& fallback) const {
    if constexpr (detail::is_optional<T>)
      if (!fallback) return std::nullopt;
    if constexpr (detail::ParameterList<T>) {
      std::string text;
      for (const auto& item : fallback)
        text += (text.empty() ? "" : options_.separator) + detail::default_text(to_value(item));
      return text;
    } else {
      return detail::default_text(to_value(fallback));
    }
  }

  const T& get() const {
    loaded_.run([this] {
      if (!source_) {
        value_ = fallback();
        return;
      }
      try {
        value_.emplace(decode<T>(load()));
      } catch (const Error& error) {
        if (error.code() != ErrorCode::invalid) throw;
        rethrow_as_unreadable(typeid(T));
      }
    });
    return *value_;
  }
  T fallback() const {
    if (const auto* compute = std::get_if<2>(&default_)) return (*compute)(ParameterContext());
    if (const auto* value = std::get_if<1>(&default_)) return *value;
    throw_unset();
  }

  std::variant<std::monostate, T, Compute> default_;
  std::optional<std::string> default_text_;
  std::string help_;
  ParameterOptions options_;
  mutable std::optional<T> value_;
  mutable detail::Once loaded_;
};

/// A local file whose content is stored with the run; the command line gives its path as `--<member name>`. T is
/// std::string for UTF-8 text, std::vector<std::byte> for anything.
///
///     mf::IncludeFile<std::string> stop_words{"words.txt", "Words to leave out"};
///
/// Without a default path, and when none is given, it has no value. Loaded on first use; several threads may read it.
template <class T>
class IncludeFile : public detail::ParameterSlot {
  static constexpr bool is_text = std::same_as<T, std::string>;
  static_assert(is_text || std::same_as<T, std::vector<std::byte>> || std::same_as<T, std::vector<unsigned char>>,
                "an include file holds std::string or std::vector<std::byte>");

 public:
  using value_type = T;

  IncludeFile(std::string default_path = {}, std::string help = {})
      : default_path_(std::move(default_path)), help_(std::move(help)) {}
  IncludeFile(Required, std::string help = {}) : help_(std::move(help)), required_(true) {}
  IncludeFile(const IncludeFile& other)
      : ParameterSlot(other), default_path_(other.default_path_), help_(other.help_), required_(other.required_) {}
  IncludeFile& operator=(const IncludeFile&) = delete;

  /// Whether a file was given.
  bool has_value() const { return content().has_value(); }
  /// Error(not_found) when no file was given; Error(invalid) when text is not UTF-8.
  const T& operator*() const& { return get(); }
  const T* operator->() const { return &get(); }
  operator const T&() const& { return get(); }
  const T& value() const& { return get(); }

  model::Parameter describe(std::string_view name) const override {
    model::Parameter parameter;
    parameter.name = parameter.attribute = std::string(name);
    parameter.kind = model::ParameterKind::include_file;
    parameter.type_name = "FILEPATH";
    parameter.help = help_;
    parameter.required = required_;
    if (!default_path_.empty()) parameter.default_text = default_path_;
    parameter.is_text = is_text;
    return parameter;
  }
  Encoded parse(std::string_view, std::string_view path) const override {
    return detail::owned(encode(std::string(path)));
  }
  std::optional<Encoded> default_value(const ParameterContext&) const override {
    if (default_path_.empty()) return std::nullopt;
    return detail::owned(encode(default_path_));
  }

 private:
  const T& get() const {
    const auto& found = content();
    if (!found) throw_unset();
    return *found;
  }
  const std::optional<T>& content() const {
    loaded_.run([this] {
      if (!stored()) return;
      const auto url = detail::included_url(load());
      if (!url) return;
      const auto bytes = source_->load_included_file(*url);
      if constexpr (is_text) detail::require_utf8(bytes.text(), name_);
      const auto* first = reinterpret_cast<const typename T::value_type*>(bytes.data());
      content_.emplace(first, first + bytes.size());
    });
    return content_;
  }

  std::string default_path_, help_;
  bool required_ = false;
  mutable std::optional<T> content_;
  mutable detail::Once loaded_;
};

}  // namespace metaflow
