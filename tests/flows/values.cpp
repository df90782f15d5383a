// One artifact of every kind, and parameters of every kind: what the official client must read as the same Python value.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

enum class Level { low, high };

struct Point {
  double x = 0, y = 0;
  std::string label;
  static constexpr auto fields() { return mf::fields<&Point::x, &Point::y, &Point::label>(); }
};

struct Values {
  mf::Parameter<int> number{5, "A number"};
  mf::Parameter<double> rate{0.5, "Another"};
  mf::Parameter<bool> flag{false, "Yes or no"};
  mf::Parameter<std::string> word{"grüße", "Text"};
  mf::Parameter<std::vector<std::string>> names{{"a", "b"}, "Several"};
  mf::Parameter<mf::Json> settings{"{\"deep\": [1, 2.5, null]}", "JSON"};
  mf::Parameter<Level> level{Level::low, "A choice"};
  mf::IncludeFile<std::string> notes{"", "Text of a file"};
  mf::IncludeFile<std::vector<std::byte>> image{"", "Bytes of a file"};

  mf::Artifact<std::optional<int>> nothing;
  mf::Artifact<bool> yes, no;
  mf::Artifact<int> zero, minus_one, one_byte, two_bytes;
  mf::Artifact<std::int64_t> two_to_31, lowest;
  mf::Artifact<mf::Value> two_to_70;
  mf::Artifact<double> real;
  mf::Artifact<std::string> text, long_text;
  mf::Artifact<std::vector<std::byte>> raw;
  mf::Artifact<std::vector<int>> no_items, one_item, many_items;
  mf::Artifact<std::map<std::string, double>> table;
  mf::Artifact<std::unordered_map<std::string, std::vector<std::optional<double>>>> nested;
  mf::Artifact<std::tuple<int, std::string>> pair;
  mf::Artifact<std::set<std::string>> letters;
  mf::Artifact<std::variant<int, std::string>> either;
  mf::Artifact<mf::Array<double>> matrix;
  mf::Artifact<mf::Array<std::int32_t>> counts;
  mf::Artifact<std::vector<Point>> points;
  mf::Artifact<std::string> carried, forgotten, edited;

  void start() {
    nothing = std::optional<int>();
    yes = true;
    no = false;
    zero = 0;
    minus_one = -1;
    one_byte = 255;
    two_bytes = 65535;
    two_to_31 = std::int64_t{1} << 31;
    lowest = INT64_MIN;
    std::array<std::byte, 9> bytes{};
    bytes[8] = std::byte{0x40};
    two_to_70 = mf::Value::integer(bytes);
    real = -2.5e-300;
    text = "čaj 茶 🍵";
    long_text = std::string(100'000, 'x') + "ß";
    raw = std::vector{std::byte{0}, std::byte{255}, std::byte{10}};
    no_items = std::vector<int>();
    one_item = std::vector{7};
    std::vector<int> many(1001);
    for (int i = 0; i < 1001; ++i) many[static_cast<std::size_t>(i)] = i;
    many_items = many;
    table = std::map<std::string, double>{{"a", 1.5}, {"b", -1}};
    nested = std::unordered_map<std::string, std::vector<std::optional<double>>>{{"k", {1.0, std::nullopt}}};
    pair = std::tuple(3, std::string("three"));
    letters = std::set<std::string>{"a", "b"};
    either = std::variant<int, std::string>("text");
    mf::Array<double> m({2, 3});
    for (std::size_t i = 0; i < 6; ++i) m[i] = static_cast<double>(i) / 2;
    matrix = std::move(m);
    mf::Array<std::int32_t> c({50'000});
    for (std::size_t i = 0; i < 50'000; ++i) c[i] = static_cast<std::int32_t>(i % 7);
    counts = std::move(c);
    points = std::vector<Point>{{1, 2, "p"}, {3, 4, "q"}};
    carried = "carried";
    forgotten = "forgotten";
    edited = "first";
    std::puts("hello from start");
  }
  void middle() {
    forgotten.reset();
    edited.edit() += " and second";
  }
  void end() { std::printf("%s %d\n", edited->c_str(), *number); }

  static constexpr auto graph() {
    using F = Values;
    return mf::graph(mf::step<&F::start>().to<&F::middle>(), mf::step<&F::middle>().to<&F::end>(), mf::step<&F::end>());
  }
};

int main(int argc, char** argv) { return mf::main<Values>(argc, argv); }
