#include <gtest/gtest.h>

#include "fake_task.hpp"

namespace mf = metaflow;

namespace {

using mf::testing::FakeTask;
using Names = std::vector<std::string>;

enum class Level { low, high };

struct Values {
  mf::Parameter<int> number{5, "A number"};
  mf::Parameter<std::uint8_t> small{std::uint8_t{1}, "A small number"};
  mf::Parameter<double> rate{0.5, "A rate"};
  mf::Parameter<bool> flag{false, "Yes or no"};
  mf::Parameter<std::string> word{mf::required, "Text"};
  mf::Parameter<std::optional<int>> limit{std::nullopt, "Perhaps a number"};
  mf::Parameter<Names> names{Names{"a", "b"}, "Several", {.separator = ";"}};
  mf::Parameter<mf::Json> settings{R"({"deep": [1, 2.5, null]})", "JSON"};
  mf::Parameter<Level> level{Level::low, "A choice"};
  mf::Parameter<std::string> owner{[](const mf::ParameterContext& context) { return context.user_name; }, "Computed"};
  mf::IncludeFile<std::string> notes{"notes.txt", "Text of a file"};
  mf::IncludeFile<std::vector<std::byte>> image{"", "Bytes of a file"};
  mf::Artifact<std::string> seen;

  void start() { seen = std::to_string(*number) + " " + *notes + (image.has_value() ? " image" : " no image"); }
  void end() {}
  static constexpr auto graph() {
    return mf::graph(mf::step<&Values::start>().to<&Values::end>(), mf::step<&Values::end>());
  }
};

const mf::FlowProgram& program() {
  static const auto made = mf::program<Values>();
  return made;
}

std::size_t index_of(std::string_view name) {
  const auto& all = program().flow.parameters;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].name == name) return i;
  throw std::out_of_range(std::string(name));
}
const mf::model::Parameter& described(std::string_view name) { return program().flow.parameters[index_of(name)]; }

/// The value of a text as Python shows it, or the words of the error.
std::string parsed(std::string_view name, std::string_view text) try {
  const auto value = program().parameters[index_of(name)].parse(text);
  return mf::pickle::decode(mf::testing::buffer_of(mf::testing::bytes_of(value))).repr();
} catch (const mf::Error& error) {
  EXPECT_EQ(error.code(), mf::ErrorCode::usage);
  return error.what();
}

std::string default_of(std::string_view name) {
  const auto value = program().parameters[index_of(name)].default_value({"Values", "ann", std::string(name)});
  if (!value) return "nothing";
  return mf::pickle::decode(mf::testing::buffer_of(mf::testing::bytes_of(*value))).repr();
}

TEST(Parameter, HelpNamesTypes) {
  Names types;
  for (const auto& parameter : program().flow.parameters) types.push_back(parameter.type_name);
  EXPECT_EQ(types, (Names{"INTEGER", "INTEGER", "FLOAT", "BOOLEAN", "TEXT", "INTEGER", "TEXT", "JSON", "[low|high]",
                          "TEXT", "FILEPATH", "FILEPATH"}));
}

TEST(Parameter, HelpShowsDefaults) {
  EXPECT_EQ(described("number").default_text, "5");
  EXPECT_EQ(described("flag").default_text, "False");
  EXPECT_EQ(described("names").default_text, "a;b");
  EXPECT_EQ(described("level").default_text, "low");
  EXPECT_EQ(described("settings").default_text, R"({"deep": [1, 2.5, null]})");
  EXPECT_EQ(described("notes").default_text, "notes.txt");
  EXPECT_EQ(described("owner").default_text, std::nullopt);
  EXPECT_TRUE(described("word").required);
  EXPECT_FALSE(described("limit").required);
}

TEST(Parameter, DefaultsAreValues) {
  EXPECT_EQ(default_of("number"), "5");
  EXPECT_EQ(default_of("word"), "nothing");
  EXPECT_EQ(default_of("limit"), "None");
  EXPECT_EQ(default_of("names"), "['a', 'b']");
  EXPECT_EQ(default_of("settings"), "{'deep': [1, 2.5, None]}");
  EXPECT_EQ(default_of("owner"), "'ann'");
  EXPECT_EQ(default_of("notes"), "'notes.txt'");
  EXPECT_EQ(default_of("image"), "nothing");
}

TEST(Parameter, TextsBecomeValues) {
  EXPECT_EQ(parsed("number", "-17"), "-17");
  EXPECT_EQ(parsed("number", " +17 "), "17");
  EXPECT_EQ(parsed("rate", "1e-3"), "0.001");
  EXPECT_EQ(parsed("word", "gr\xc3\xbc\xc3\x9f"), "'gr\xc3\xbc\xc3\x9f'");
  EXPECT_EQ(parsed("limit", "3"), "3");
  EXPECT_EQ(parsed("names", "x;y z;"), "['x', 'y z', '']");
  EXPECT_EQ(parsed("names", ""), "[]");
  EXPECT_EQ(parsed("settings", "[true, \"a\"]"), "[True, 'a']");
  EXPECT_EQ(parsed("level", "high"), "'high'");
}

TEST(Parameter, BooleansHaveManyWords) {
  for (const auto* yes : {"true", "T", "1", "Yes", "y"}) EXPECT_EQ(parsed("flag", yes), "True");
  for (const auto* no : {"False", "f", "0", "NO", "n"}) EXPECT_EQ(parsed("flag", no), "False");
}

TEST(Parameter, LargeTextsAreNotBorrowed) {
  const std::string large(100'000, 'x');
  EXPECT_EQ(parsed("word", large).size(), large.size() + 2);
}

TEST(Parameter, BadTextsAreNamedWithWhatWasExpected) {
  EXPECT_EQ(parsed("number", "five"),
            "Invalid value for '--number': 'five' is not a valid integer from -2147483648 to 2147483647");
  EXPECT_EQ(parsed("number", "3000000000"),
            "Invalid value for '--number': '3000000000' is not a valid integer from -2147483648 to 2147483647");
  EXPECT_EQ(parsed("number", ""),
            "Invalid value for '--number': '' is not a valid integer from -2147483648 to 2147483647");
  EXPECT_EQ(parsed("small", "-1"), "Invalid value for '--small': '-1' is not a valid integer from 0 to 255");
  EXPECT_EQ(parsed("flag", "maybe"), "Invalid value for '--flag': 'maybe' is not a valid boolean: write true or false");
  EXPECT_EQ(parsed("level", "middle"), "Invalid value for '--level': 'middle' is not one of [low|high]");
  EXPECT_NE(parsed("rate", "1.5x").find("'1.5x' is not a valid float"), std::string::npos);
  EXPECT_NE(parsed("settings", "{").find("'{' is not valid JSON"), std::string::npos);
  EXPECT_NE(parsed("word", "\xff").find("is not valid UTF-8"), std::string::npos);
}

TEST(Parameter, StepsReadTheValueOfTheRun) {
  FakeTask task;
  task.before.with("number", 7).with("image", std::optional<int>());
  task.before.with("notes", std::map<std::string, std::string>{{"type", "uploader-v2"}, {"url", "local:///x"}});
  task.before.files["local:///x"] = "hello";
  const auto result = task.run<Values>("start");
  EXPECT_FALSE(result.failure) << result.failure->message;
  EXPECT_EQ(task.left<std::string>("seen"), "7 hello no image");
}

TEST(IncludeFile, TextHasToBeUtf8) {
  FakeTask task;
  task.before.with("number", 7).with("notes", std::map<std::string, std::string>{{"url", "local:///x"}});
  task.before.files["local:///x"] = "\xff";
  const auto result = task.run<Values>("start");
  ASSERT_TRUE(result.failure);
  EXPECT_NE(result.failure->message.find("--notes is not UTF-8 text"), std::string::npos) << result.failure->message;
}

TEST(Parameter, OutsideATaskItIsItsDefault) {
  const Values values;
  EXPECT_EQ(values.number, 5);
  EXPECT_EQ(values.settings->at("deep").size(), 3u);
}

}  // namespace
