#include "storage/object_store.hpp"

#include <fstream>

#include "base/random.hpp"
#include "storage/object_store_contract.hpp"

namespace metaflow::storage {
namespace {

using testing::HasSubstr;

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
