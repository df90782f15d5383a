#include "storage/object_store.hpp"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <metaflow/error.hpp>

#include "base/random.hpp"

namespace metaflow::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Pieces pieces(std::string text) {
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

std::unique_ptr<OpenedStore> open_directory() {
  auto opened = std::make_unique<OpenedStore>();
  opened->folder = std::filesystem::temp_directory_path() / ("store_test_" + random_name(8));
  opened->store = open_directory_store(opened->folder / "root");
  return opened;
}

std::unique_ptr<OpenedStore> open_memory() {
  auto opened = std::make_unique<OpenedStore>();
  opened->store = make_memory_store();
  return opened;
}

/// Over a store that holds other keys already.
struct OpenedOverlay : OpenedStore {
  std::unique_ptr<ObjectStore> below = make_memory_store();
};

std::unique_ptr<OpenedStore> open_overlay() {
  auto opened = std::make_unique<OpenedOverlay>();
  opened->store = make_overlay_store(*opened->below);
  return opened;
}

/// What every ObjectStore promises; each kind is run through it.
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

INSTANTIATE_TEST_SUITE_P(Directory, ObjectStoreContract, testing::Values(&open_directory));
INSTANTIATE_TEST_SUITE_P(Memory, ObjectStoreContract, testing::Values(&open_memory));
INSTANTIATE_TEST_SUITE_P(Overlay, ObjectStoreContract, testing::Values(&open_overlay));

class OverlayStore : public testing::Test {
 protected:
  static std::string text(const ObjectStore& store, std::string_view key) {
    const auto bytes = store.get(key);
    return bytes ? std::string(bytes->text()) : "nothing";
  }

  std::unique_ptr<ObjectStore> below_ = make_memory_store();
  std::unique_ptr<ObjectStore> overlay_ = make_overlay_store(*below_);
};

TEST_F(OverlayStore, ShowsWhatLiesBelow) {
  below_->put("a/b", pieces("below"));
  overlay_->put("a/c", pieces("above"));
  EXPECT_EQ(text(*overlay_, "a/b"), "below");
  EXPECT_FALSE(overlay_->create("a/b", pieces("other")));
  EXPECT_THAT(overlay_->list("a"), ElementsAre("b", "c"));
}

TEST_F(OverlayStore, ChangesNothingBelow) {
  below_->put("put", pieces("below"));
  below_->put("grown", pieces("below"));
  below_->put("removed", pieces("below"));
  overlay_->put("put", pieces("above"));
  overlay_->append("grown", " and above");
  overlay_->remove("removed");
  EXPECT_EQ(text(*overlay_, "put"), "above");
  EXPECT_EQ(text(*overlay_, "grown"), "below and above");
  EXPECT_EQ(text(*overlay_, "removed"), "nothing");
  EXPECT_THAT(overlay_->list(""), ElementsAre("grown", "put"));
  for (const auto* key : {"put", "grown", "removed"}) EXPECT_EQ(text(*below_, key), "below");
}

class DirectoryStore : public testing::Test {
 protected:
  std::unique_ptr<OpenedStore> opened_ = open_directory();
  ObjectStore& store_ = *opened_->store;
  const std::filesystem::path root_ = opened_->folder / "root";
};

std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST_F(DirectoryStore, IsMadeByTheFirstWriteOnly) {
  EXPECT_THAT(store_.list(""), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(root_));
  store_.put("a", pieces("x"));
  EXPECT_TRUE(std::filesystem::exists(root_ / "a"));
}

TEST_F(DirectoryStore, LeavesNoDraftsBehindAndOverlooksThoseOfTheDead) {
  store_.put("a/b", pieces("x"));
  std::ofstream(root_ / "a/tmpk3_abcde") << "half";
  std::ofstream(root_ / "a/tmpfile.txt") << "somebody's";
  EXPECT_THAT(store_.list("a"), ElementsAre("b", "tmpfile.txt"));
}

TEST_F(DirectoryStore, FilesAreTheOwnersOnly) {
  store_.put("whole", pieces("x"));
  store_.put("plain", pieces("x"), Visibility::plain);
  for (const auto* name : {"whole", "plain"}) {
    EXPECT_EQ(std::filesystem::status(root_ / name).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
}

TEST_F(DirectoryStore, ARootThatIsAFileIsAnErrorThatSaysSo) {
  std::filesystem::create_directories(root_.parent_path());
  std::ofstream(root_.string()) << "a file";
  EXPECT_THAT(error_of([&] { store_.put("a/b", pieces("x")); }), HasSubstr("is a file, not a folder"));
  EXPECT_THAT(error_of([&] { store_.put("a", pieces("x")); }), HasSubstr(root_.string()));
}

TEST_F(DirectoryStore, AFullDiskIsExhaustedAndSaysWhatToDo) {
  std::filesystem::create_directories(root_);
  std::filesystem::create_symlink("/dev/full", root_ / "full");
  try {
    store_.put("full", pieces("x"), Visibility::plain);
    FAIL() << "written to a full disk";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::exhausted);
    EXPECT_THAT(error.what(), HasSubstr("full': no space left on device; free some space"));
  }
}

}  // namespace
}  // namespace metaflow::storage
