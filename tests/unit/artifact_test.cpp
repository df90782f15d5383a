#include <deque>
#include <list>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "fake_task.hpp"

namespace mf = metaflow;

namespace {

using mf::testing::FakeTask;
using Names = std::vector<std::string>;

/// What a test wants a step to do.
template <class Flow>
std::function<void(Flow&)> body;

struct Notes {
  mf::Artifact<int> number;
  mf::Artifact<Names> list;
  mf::Artifact<mf::Value> anything;

  void start() { body<Notes>(*this); }
  void end() {}
  static constexpr auto graph() {
    return mf::graph(mf::step<&Notes::start>().to<&Notes::end>(), mf::step<&Notes::end>());
  }
};

/// Runs a step that does this; a failed one fails the test.
mf::StepResult run(FakeTask& task, std::function<void(Notes&)> action) {
  body<Notes> = std::move(action);
  return task.run<Notes>("start");
}
void run_well(FakeTask& task, std::function<void(Notes&)> action) {
  const auto result = run(task, std::move(action));
  EXPECT_FALSE(result.failure) << result.failure->message;
}

TEST(Artifact, IsLoadedOnFirstUseAndNotStoredAgain) {
  FakeTask task;
  task.before.with("number", 7).with("list", Names{"a"});
  run_well(task, [](Notes& notes) {
    EXPECT_EQ(*notes.number, 7);
    EXPECT_EQ(*notes.number, 7);
  });
  EXPECT_EQ(task.before.loads, 1);
  EXPECT_TRUE(task.stored.empty());
  EXPECT_TRUE(task.passed.empty());
}

TEST(Artifact, EditChangesItInPlaceAndStoresIt) {
  FakeTask task;
  task.before.with("list", Names{"a"});
  run_well(task, [](Notes& notes) { notes.list.edit().push_back("b"); });
  EXPECT_EQ(task.left<Names>("list"), (Names{"a", "b"}));
}

TEST(Artifact, ResetForgetsItForThisStepAndLaterOnes) {
  FakeTask task;
  task.before.with("number", 7);
  run_well(task, [](Notes& notes) {
    notes.number.reset();
    EXPECT_FALSE(notes.number.has_value());
  });
  EXPECT_EQ(task.dropped, Names{"number"});
}

TEST(Artifact, AskingWhetherThereIsAValueLoadsNothing) {
  FakeTask task;
  task.before.with("number", 7);
  run_well(task, [](Notes& notes) {
    EXPECT_TRUE(notes.number.has_value());
    EXPECT_FALSE(notes.list.has_value());
  });
  EXPECT_EQ(task.before.loads, 0);
}

TEST(Artifact, OneThatIsNotSetSaysWhichAndWhatToDo) {
  FakeTask task;
  const auto result = run(task, [](Notes& notes) { notes.list = Names{std::to_string(*notes.number)}; });
  ASSERT_TRUE(result.failure);
  EXPECT_EQ(result.failure->headline, "Artifact not set");
  EXPECT_EQ(result.failure->message,
            "flow Notes has no artifact 'number' in step 'start': neither this step nor one before it has set it; "
            "assign to it there, or ask has_value() first");
}

TEST(Artifact, OneOfAnotherTypeIsNamedWithBothTypes) {
  FakeTask task;
  task.before.with("number", std::string("seven"));
  const auto result = run(task, [](Notes& notes) { notes.list = Names(static_cast<std::size_t>(*notes.number)); });
  ASSERT_TRUE(result.failure);
  EXPECT_NE(result.failure->message.find("cannot read artifact 'number' of 12/start/3 as int"), std::string::npos)
      << result.failure->message;
  EXPECT_NE(result.failure->message.find("<class 'str'>"), std::string::npos) << result.failure->message;
}

TEST(Artifact, ValueTakesAnything) {
  FakeTask task;
  task.before.with("anything", Names{"a", "b"});
  run_well(task, [](Notes& notes) { EXPECT_EQ(notes.anything->repr(), "['a', 'b']"); });
}

TEST(Artifact, ManyThreadsMayReadIt) {
  FakeTask task;
  task.before.with("list", Names{"a", "b"});
  run_well(task, [](Notes& notes) {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 8; ++i) readers.emplace_back([&] { EXPECT_EQ(notes.list->size(), 2u); });
  });
  EXPECT_EQ(task.before.loads, 1);
}

TEST(Artifact, TakesOverAnotherMembersValueByKey) {
  struct Pair {
    mf::Artifact<int> old_name, new_name;
    void start() { new_name = old_name; }
    void end() {}
    static constexpr auto graph() {
      return mf::graph(mf::step<&Pair::start>().to<&Pair::end>(), mf::step<&Pair::end>());
    }
  };
  FakeTask task;
  task.before.with("old_name", 7);
  EXPECT_FALSE(task.run<Pair>("start").failure);
  EXPECT_EQ(task.before.loads, 0);
  EXPECT_EQ(task.left<int>("new_name"), 7);
}

TEST(Artifact, IsSetBeforeAFailureAndKept) {
  FakeTask task;
  const auto result = run(task, [](Notes& notes) {
    notes.number = 7;
    throw std::out_of_range("too far");
  });
  EXPECT_EQ(result.failure->type, "std::out_of_range");
  EXPECT_EQ(result.failure->message, "too far");
  EXPECT_EQ(task.left<int>("number"), 7);
}

TEST(Artifact, OneThatCannotBeStoredFailsTheStep) {
  FakeTask task;
  const auto result = run(task, [](Notes& notes) {
    notes.number = 7;
    notes.list = Names{"bad \xff text"};
  });
  ASSERT_TRUE(result.failure);
  EXPECT_NE(result.failure->message.find("cannot store artifact 'list'"), std::string::npos);
  EXPECT_EQ(task.left<int>("number"), 7);
}

TEST(Artifact, OutsideATaskItIsAPlaceForAValue) {
  Notes notes;
  notes.number = 7;
  EXPECT_EQ(notes.number, 7);
  EXPECT_EQ(notes.list.value_or(Names{"x"}), Names{"x"});
  EXPECT_THROW(*notes.list, mf::Error);
}

TEST(Failure, AnythingCanBeThrown) {
  FakeTask task;
  EXPECT_EQ(run(task, [](Notes&) { throw 42; }).failure->message, "42");
  EXPECT_EQ(run(task, [](Notes&) { throw 42; }).failure->type, "int");
  EXPECT_EQ(run(task, [](Notes&) { throw "words"; }).failure->message, "words");
  EXPECT_EQ(run(task, [](Notes&) { throw std::string("text"); }).failure->type, "std::string");
  EXPECT_NE(run(task, [](Notes&) { throw Names(); }).failure->type.find("std::vector"), std::string::npos);
  EXPECT_EQ(run(task, [](Notes&) { throw mf::Error(mf::ErrorCode::denied, "no", "Denied"); }).failure->headline,
            "Denied");
}

/// A foreach over each kind of container, told by the item that the body gets.
template <class Container, class Item>
struct Over {
  mf::Artifact<Container> items;
  mf::Artifact<bool> is_right;

  void start() { body<Over>(*this); }
  void work(const Item& item) { is_right = item == wanted; }
  void join(mf::Inputs<Over>) {}
  void end() {}
  static constexpr auto graph() {
    using F = Over;
    return mf::graph(mf::step<&F::start>().template foreach<&F::items, &F::work>(),
                     mf::step<&F::work>().template to<&F::join>(), mf::step<&F::join>().template to<&F::end>(),
                     mf::step<&F::end>());
  }
  static inline Item wanted{};
};

enum class Speed { slow, fast };

template <class T>
struct Chooser {
  mf::Artifact<T> mode;
  static inline T chosen{};
  void start() { mode = chosen; }
  void a() {}
  void b() {}
  void end() {}
  static constexpr T key(int i) {
    if constexpr (std::is_same_v<T, Speed>)
      return i == 0 ? Speed::slow : Speed::fast;
    else
      return static_cast<T>(i);
  }
  static constexpr auto graph() {
    using F = Chooser;
    return mf::graph(
        mf::step<&F::start>().template switch_on<&F::mode>(mf::when<&F::a>(key(0)), mf::when<&F::b>(key(1))),
        mf::step<&F::a>().template to<&F::end>(), mf::step<&F::b>().template to<&F::end>(), mf::step<&F::end>());
  }
};

template <class T>
std::string chosen(T value) {
  FakeTask task;
  Chooser<T>::chosen = value;
  const auto result = task.run<Chooser<T>>("start");
  return result.failure ? result.failure->message : result.chosen;
}
template <class T>
std::string case_text() {
  return metaflow::program<Chooser<T>>().flow.steps[0].cases[1].value;
}

TEST(Switch, ChoosesByNumberBooleanAndEnumerator) {
  EXPECT_EQ(chosen(1), "b");
  EXPECT_EQ(chosen(false), "a");
  EXPECT_EQ(chosen(Speed::fast), "b");
  EXPECT_EQ(case_text<int>(), "1");
  EXPECT_EQ(case_text<bool>(), "True");
  EXPECT_EQ(case_text<Speed>(), "fast");
}

TEST(Switch, AValueWithoutACaseIsNamedWithTheCases) {
  EXPECT_EQ(chosen(5), "switch on 'mode' has no case for its value 5; the cases are: 0, 1");
}

struct Looping {
  mf::Parameter<std::string> mode{"again", "Where to go"};
  void begin() {}
  void loop() {}
  void finish() noexcept {}
  static constexpr auto graph() {
    using F = Looping;
    return mf::graph(
        mf::step<&F::begin>(mf::start_step).to<&F::loop>(),
        mf::step<&F::loop>().switch_on<&F::mode>(mf::when<&F::loop>("again"), mf::when<&F::finish>("done")),
        mf::step<&F::finish>(mf::end_step, mf::doc("The last one")));
  }
};

TEST(Switch, MayAskAParameterAndRepeatItsStep) {
  FakeTask task;
  task.before.with("mode", std::string("again"));
  EXPECT_EQ(task.run<Looping>("loop").chosen, "loop");
}

TEST(Program, EndpointsMayHaveNamesOfTheirOwn) {
  const auto flow = mf::program<Looping>().flow;
  EXPECT_TRUE(flow.steps[0].marked_start);
  EXPECT_TRUE(flow.steps[2].marked_end);
  EXPECT_EQ(flow.steps[2].documentation, "The last one");
}

TEST(Program, OneStepIsAFlow) {
  struct Single {
    void only() const {}
    static constexpr auto graph() { return mf::graph(mf::step<&Single::only>()); }
  };
  FakeTask task;
  EXPECT_FALSE(task.run<Single>("only").failure);
}

}  // namespace
