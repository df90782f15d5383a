// A foreach over each kind of container that a flow may hold: DELIVERY names the one to go over.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <metaflow/flow.hpp>

namespace mf = metaflow;

namespace {

enum class Level { low, high };

struct Point {
  double x = 0;
  std::string label;
  static constexpr auto fields() { return mf::fields<&Point::x, &Point::label>(); }
};

template <auto Make>
using Made = decltype(Make());

/// Each task keeps the item it was given, and the step after it looks at it by another way.
template <auto Make, class Item = typename Made<Make>::value_type>
struct Delivery {
  mf::Artifact<Made<Make>> items;
  mf::Artifact<Item> item;
  mf::Artifact<int> count;

  void start() { items = Make(); }
  void work(const Item& given) { item = given; }
  void after() {
    const auto again = mf::item<&Delivery::items>(*this);
    if (mf::to_value(again.value()) != mf::to_value(*item)) throw std::runtime_error("another item after the step");
  }
  void join(mf::Inputs<Delivery> inputs) { count = static_cast<int>(inputs.size()); }
  void end() {}

  static constexpr auto graph() {
    using F = Delivery;
    return mf::graph(mf::step<&F::start>().template foreach<&F::items, &F::work>(),
                     mf::step<&F::work>().template to<&F::after>(), mf::step<&F::after>().template to<&F::join>(),
                     mf::step<&F::join>().template to<&F::end>(), mf::step<&F::end>());
  }
};

std::vector<int> vector() { return {3, 1, 2}; }
std::array<int, 3> array() { return {3, 1, 2}; }
std::deque<double> deque() { return {0.5, -1e300}; }
std::list<std::int64_t> list() { return {INT64_MIN, INT64_MAX}; }
std::set<std::string> set() { return {"b", "a"}; }
std::unordered_set<int> unordered_set() { return {7, 8, 9}; }
std::map<std::string, double> map() { return {{"b", 2.5}, {"a", 1.5}}; }
std::unordered_map<int, std::vector<std::string>> unordered_map() { return {{1, {"x"}}, {2, {}}, {3, {"y", "z"}}}; }
std::vector<bool> truths() { return {true, false}; }
std::vector<std::string> texts() { return {"čaj 茶 🍵", "", "two\nlines", std::string("zero\0inside", 11)}; }
std::vector<std::string> long_texts() {
  return {std::string(70'000, 'x'), std::string(70'000, 'y'), std::string("ž") + std::string(70'000, 'z')};
}
std::vector<Point> structs() { return {{1, "p"}, {-2.5, "ß"}}; }
std::vector<std::optional<int>> optionals() { return {1, std::nullopt, 3}; }
std::vector<std::vector<int>> vectors() { return {{1}, {}, {2, 3}}; }
std::vector<std::map<std::string, int>> maps() { return {{{"a", 1}}, {}}; }
std::vector<std::tuple<int, std::string>> tuples() { return {{1, "one"}, {2, "two"}}; }
std::vector<std::variant<int, std::string>> variants() { return {1, "one"}; }
std::vector<Level> enumerations() { return {Level::high, Level::low}; }
std::vector<std::vector<std::byte>> bytes() { return {{std::byte{0}, std::byte{255}}, {}}; }
template <class T>
mf::Array<T> numbers() {
  mf::Array<T> all({3});
  for (std::size_t i = 0; i < 3; ++i) all[i] = static_cast<T>(i + 1) / static_cast<T>(2);
  return all;
}
std::vector<mf::Array<double>> arrays() { return {numbers<double>(), mf::Array<double>({0})}; }
mf::Value value_list() { return mf::Value::list({1, "two", nullptr, 4.5}); }
mf::Value value_dict() { return mf::Value::dict({{"a", 1}, {2, "b"}}); }

using Program = int (*)(int, char**);
template <auto Make>
Program over() {
  return &mf::main<Delivery<Make>>;
}
template <auto Make, class Item>
Program over() {
  return &mf::main<Delivery<Make, Item>>;
}

const std::map<std::string_view, Program> programs = {
    {"vector", over<vector>()},
    {"array", over<array>()},
    {"deque", over<deque>()},
    {"list", over<list>()},
    {"set", over<set>()},
    {"unordered_set", over<unordered_set>()},
    {"map", over<map, std::pair<std::string, double>>()},
    {"unordered_map", over<unordered_map, std::pair<int, std::vector<std::string>>>()},
    {"truths", over<truths>()},
    {"texts", over<texts>()},
    {"long_texts", over<long_texts>()},
    {"structs", over<structs>()},
    {"optionals", over<optionals>()},
    {"vectors", over<vectors>()},
    {"maps", over<maps>()},
    {"tuples", over<tuples>()},
    {"variants", over<variants>()},
    {"enumerations", over<enumerations>()},
    {"bytes", over<bytes>()},
    {"real_array", over<numbers<double>>()},
    {"integer_array", over<numbers<std::int16_t>>()},
    {"arrays", over<arrays>()},
    {"value_list", over<value_list, mf::Value>()},
    {"value_dict", over<value_dict, mf::Value>()},
};

}  // namespace

int main(int argc, char** argv) {
  const char* wanted = std::getenv("DELIVERY");
  return programs.at(wanted == nullptr ? "vector" : wanted)(argc, argv);
}
