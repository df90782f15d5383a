#pragma once

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>

#include "storage/object_store.hpp"

/// What every ObjectStore promises, as tests: each kind is run through them by INSTANTIATE_TEST_SUITE_P.
namespace metaflow::storage {

using testing::ElementsAre;
using testing::IsEmpty;

inline Pieces pieces(std::string text) {
  Pieces pieces;
  pieces.own(std::move(text));
  return pieces;
}

/// What a test sees of a store: a temporary folder goes when it ends.
struct OpenedStore {
  std::filesystem::path folder;
  std::unique_ptr<ObjectStore> store;
  virtual ~OpenedStore() {
    if (!folder.empty()) std::filesystem::remove_all(folder);
  }
};
using OpenStore = std::function<std::unique_ptr<OpenedStore>()>;

class ObjectStoreContract : public testing::TestWithParam<OpenStore> {
 protected:
  std::optional<std::string> text(std::string_view key) const {
    const auto bytes = store_.get(key);
    return bytes ? std::optional(std::string(bytes->text())) : std::nullopt;
  }

  std::unique_ptr<OpenedStore> opened_ = GetParam()();
  ObjectStore& store_ = *opened_->store;
};

TEST_P(ObjectStoreContract, OnlyAKeyThatHoldsSomethingIsRenewed) {
  EXPECT_FALSE(store_.renew("a/b"));
  store_.put("a/b", pieces(""));
  EXPECT_FALSE(store_.renew("a/b"));
  store_.put("a/b", pieces("x"));
  EXPECT_TRUE(store_.renew("a/b"));
  EXPECT_EQ(text("a/b"), "x");
}

TEST_P(ObjectStoreContract, AKeyNeverWrittenHoldsNothing) {
  EXPECT_EQ(text("a/b"), std::nullopt);
  EXPECT_FALSE(store_.has("a/b"));
  EXPECT_EQ(store_.size("a/b"), std::nullopt);
}

TEST_P(ObjectStoreContract, WhatWasPutIsRead) {
  store_.put("a/b/c", pieces("text"));
  EXPECT_EQ(text("a/b/c"), "text");
  EXPECT_TRUE(store_.has("a/b/c"));
  EXPECT_EQ(store_.size("a/b/c"), 4u);
}

TEST_P(ObjectStoreContract, SeveralAreReadInTheOrderAsked) {
  std::vector<std::string> keys;
  for (int i = 0; i < 20; ++i) {
    keys.push_back("a/" + std::to_string(i));
    if (i != 7) store_.put(keys.back(), pieces(std::to_string(i)));
  }
  const auto values = store_.get_all(keys);
  ASSERT_EQ(values.size(), keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i)
    EXPECT_EQ(values[i] ? values[i]->text() : "nothing", i == 7 ? "nothing" : std::to_string(i));
  EXPECT_THAT(store_.get_all({}), IsEmpty());
}

TEST_P(ObjectStoreContract, PiecesAreJoinedInOrder) {
  const std::string borrowed = "in the middle ";
  auto value = pieces("first ");
  value.borrow(std::as_bytes(std::span(borrowed)));
  value.own("");
  value.own("last");
  store_.put("key", value);
  EXPECT_EQ(text("key"), "first in the middle last");
}

TEST_P(ObjectStoreContract, MorePiecesThanOneCallTakesArrive) {
  Pieces value;
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    value.own(std::to_string(i));
    expected += std::to_string(i);
  }
  store_.put("key", value);
  EXPECT_EQ(text("key"), expected);
}

TEST_P(ObjectStoreContract, AnEmptyValueIsAValue) {
  store_.put("key", Pieces());
  EXPECT_TRUE(store_.has("key"));
  EXPECT_EQ(text("key"), "");
}

TEST_P(ObjectStoreContract, TheLastWriteWins) {
  store_.put("a/b", pieces("a longer first one"));
  store_.put("a/b", pieces("second"));
  EXPECT_EQ(text("a/b"), "second");
  store_.put("a/b", pieces("3"), Visibility::plain);
  EXPECT_EQ(text("a/b"), "3");
}

TEST_P(ObjectStoreContract, CreateNeverReplaces) {
  EXPECT_TRUE(store_.create("a/b", pieces("first")));
  EXPECT_FALSE(store_.create("a/b", pieces("second")));
  EXPECT_EQ(text("a/b"), "first");
  EXPECT_THAT(store_.list("a"), ElementsAre("b"));
}

TEST_P(ObjectStoreContract, OfSeveralCreatorsExactlyOneWins) {
  std::atomic<int> winners = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] { winners += store_.create("lock", pieces(std::to_string(i))) ? 1 : 0; });
    }
  }
  EXPECT_EQ(winners, 1);
}

TEST_P(ObjectStoreContract, ReadersSeeOldOrNewNeverAPart) {
  const std::string old_value(100'000, 'o'), new_value(200'000, 'n');
  store_.put("key", pieces(old_value));
  std::jthread writer([&] {
    for (int i = 0; i < 50; ++i) store_.put("key", pieces(i % 2 == 0 ? new_value : old_value));
  });
  for (int i = 0; i < 50; ++i) {
    const auto seen = text("key");
    EXPECT_TRUE(seen == old_value || seen == new_value);
  }
}

TEST_P(ObjectStoreContract, AppendMakesAndExtends) {
  store_.append("a/log", "one\n");
  store_.append("a/log", "");
  store_.append("a/log", "two\n");
  EXPECT_EQ(text("a/log"), "one\ntwo\n");
}

TEST_P(ObjectStoreContract, WhatIsAppendedIsSeenAndMayBeReplaced) {
  store_.append("a/log", "one\n");
  EXPECT_THAT(store_.list("a"), ElementsAre("log"));
  EXPECT_EQ(store_.size("a/log"), 4u);
  store_.put("a/log", pieces("other\n"));
  store_.append("a/log", "two\n");
  store_.settle("a/log");
  EXPECT_EQ(text("a/log"), "other\ntwo\n");
  store_.remove("a/log");
  store_.append("a/log", "three\n");
  EXPECT_EQ(text("a/log"), "three\n");
}

TEST_P(ObjectStoreContract, KeepWritesWhatIsMissing) {
  store_.put("a/old", pieces("old"));
  const Content contents[] = {
      {.key = "a/old", .size = 3, .value = [] { return pieces("new"); }},
      {.key = "a/new", .size = 3, .value = [] { return pieces("new"); }, .attributes = R"({"a": 1})"},
      {.key = "a/large", .size = 3 << 20, .value = [] { return pieces("large"); }},
      {.key = "a/new", .size = 3, .value = [] { return pieces("new"); }}};
  store_.keep(contents);
  store_.keep(contents);
  EXPECT_EQ(text("a/old"), "old");
  EXPECT_EQ(text("a/new"), "new");
  EXPECT_EQ(text("a/large"), "large");
}

TEST_P(ObjectStoreContract, WhatWasRemovedIsKeptAgain) {
  const Content contents[] = {{.key = "a", .size = 1, .value = [] { return pieces("x"); }}};
  store_.keep(contents);
  store_.remove("a");
  store_.keep(contents);
  EXPECT_EQ(text("a"), "x");
}

TEST_P(ObjectStoreContract, ListsNamesDirectlyBelowSorted) {
  store_.put("run/b/1", pieces(""));
  store_.put("run/a-x", pieces(""));
  store_.put("run/a/2", pieces(""));
  store_.put("runner", pieces(""));
  EXPECT_THAT(store_.list("run"), ElementsAre("a", "a-x", "b"));
  EXPECT_THAT(store_.list(""), ElementsAre("run", "runner"));
  EXPECT_THAT(store_.list("run/b"), ElementsAre("1"));
}

TEST_P(ObjectStoreContract, NothingIsBelowAnUnknownPrefix) { EXPECT_THAT(store_.list("no/where"), IsEmpty()); }

TEST_P(ObjectStoreContract, ARemovedKeyHoldsNothing) {
  store_.put("a/b", pieces("x"));
  store_.remove("a/b");
  EXPECT_FALSE(store_.has("a/b"));
  EXPECT_NO_THROW(store_.remove("a/b"));
}

TEST_P(ObjectStoreContract, KeysThatLeadElsewhereAreRefused) {
  for (const auto* key : {"", "/a", "a/", "a//b", ".", "a/../b", "..", "a/."}) {
    EXPECT_THROW((void)store_.get(key), Error) << key;
    EXPECT_THROW(store_.put(key, pieces("x")), Error) << key;
    EXPECT_THROW(store_.create(key, pieces("x")), Error) << key;
    EXPECT_THROW(store_.append(key, "x"), Error) << key;
  }
}

}  // namespace metaflow::storage
