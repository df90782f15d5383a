#include "cloud/s3_store.hpp"

#include <algorithm>
#include <deque>
#include <mutex>
#include <set>

#include "cloud/appends.hpp"

namespace metaflow::cloud {
namespace {

using storage::Content;
using storage::Visibility;

/// From here on asking whether something is there costs less than sending it in vain.
constexpr std::uint64_t worth_asking = 1 << 20;

class S3Store final : public storage::ObjectStore {
 public:
  S3Store(std::shared_ptr<aws::S3Client> client, aws::S3Place root)
      : client_(std::move(client)), place_(std::move(root)), root_(root_of(place_)) {}

  std::optional<Buffer> get(std::string_view key) const override {
    auto object = client_->get(aws::S3Get{place_to_read(key)});
    if (!object) return std::nullopt;
    return std::move(object->bytes);
  }

  std::vector<std::optional<Buffer>> get_all(std::span<const std::string> keys) const override {
    std::vector<aws::S3Get> wanted;
    for (const auto& key : keys) wanted.push_back({.place = place_to_read(key)});
    std::vector<std::optional<Buffer>> values;
    for (auto& object : client_->get(wanted))
      values.push_back(object ? std::optional(std::move(object->bytes)) : std::nullopt);
    return values;
  }

  std::optional<std::uint64_t> size(std::string_view key) const override {
    const auto info = client_->head(place_to_read(key));
    return info ? std::optional(info->size) : std::nullopt;
  }

  void put(std::string_view key, const Pieces& value, Visibility) override {
    client_->put({.place = place_to_change(key), .body = &value});
  }

  bool create(std::string_view key, const Pieces& value) override {
    return client_->put({.place = place_to_change(key), .body = &value, .condition = aws::S3Condition::if_absent});
  }

  void keep(std::span<const Content> contents) override;
  void assume(std::string_view key) override {
    const std::scoped_lock lock(mutex_);
    kept_.emplace(key);
  }

  void append(std::string_view key, std::string_view bytes) override {
    storage::check_key(key);
    appends_.append(key, bytes);
  }
  void settle(std::string_view key) override { appends_.settle(key); }

  std::vector<std::string> list(std::string_view prefix) const override;

  void remove(std::string_view key) override {
    const auto place = place_to_change(key);
    client_->remove({&place, 1});
  }

  const std::string& root() const override { return root_; }
  std::string_view type() const override { return "s3"; }

 private:
  static std::string root_of(const aws::S3Place& place) {
    return place.key.empty() ? "s3://" + place.bucket : place.url();
  }
  aws::S3Place place_of(std::string_view key) const {
    storage::check_key(key);
    return {place_.bucket, (place_.key.empty() ? "" : place_.key + '/') + std::string(key)};
  }
  aws::S3Place place_to_read(std::string_view key) const {
    auto place = place_of(key);
    appends_.flush(key);
    return place;
  }
  aws::S3Place place_to_change(std::string_view key) {
    auto place = place_of(key);
    appends_.settle(key);
    appends_.flush(key);
    const std::scoped_lock lock(mutex_);
    if (const auto found = kept_.find(key); found != kept_.end()) kept_.erase(found);
    return place;
  }

  std::vector<const Content*> without_kept(std::span<const Content> contents) const;
  void remove_present(std::vector<const Content*>& contents) const;
  void write_texts(std::vector<Appends::Grown>& texts) const;

  const std::shared_ptr<aws::S3Client> client_;
  const aws::S3Place place_;
  const std::string root_;
  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> kept_;  // guarded by mutex_, keys that hold what they are to hold
  mutable Appends appends_{[this](std::vector<Appends::Grown>& texts) { write_texts(texts); }, append_wait};
};

void S3Store::keep(std::span<const Content> contents) {
  auto missing = without_kept(contents);
  remove_present(missing);
  std::deque<Pieces> values;
  std::vector<aws::S3Put> puts;
  for (const auto* content : missing) {
    puts.push_back({.place = place_of(content->key),
                    .body = &values.emplace_back(content->value()),
                    .condition = aws::S3Condition::if_absent});
    if (!content->attributes.empty()) puts.back().metadata.emplace("metaflow-user-attributes", content->attributes);
  }
  client_->put(puts);
  const std::scoped_lock lock(mutex_);
  for (const auto& content : contents) kept_.insert(content.key);
}

/// Each key once.
std::vector<const Content*> S3Store::without_kept(std::span<const Content> contents) const {
  const std::scoped_lock lock(mutex_);
  std::vector<const Content*> missing;
  std::set<std::string_view> seen;
  for (const auto& content : contents)
    if (!kept_.contains(content.key) && seen.insert(content.key).second) missing.push_back(&content);
  return missing;
}

/// Only large ones are asked for; with others the condition of the PUT does it.
void S3Store::remove_present(std::vector<const Content*>& contents) const {
  std::vector<aws::S3Place> places;
  for (const auto* content : contents)
    if (content->size >= worth_asking) places.push_back(place_of(content->key));
  const auto infos = client_->head(places);
  std::size_t asked = 0;
  std::vector<const Content*> missing;
  for (const auto* content : contents)
    if (content->size < worth_asking || !infos[asked++]) missing.push_back(content);
  contents = std::move(missing);
}

std::vector<std::string> S3Store::list(std::string_view prefix) const {
  appends_.flush_all();
  auto place = prefix.empty() ? place_ : place_of(prefix);
  if (!place.key.empty()) place.key += '/';
  const auto begin = place.key.size();
  const auto listing = client_->list({.prefix = std::move(place), .delimiter = "/"});
  std::vector<std::string> names;
  for (const auto& object : listing.objects)
    // The folder itself, as some tools make it.
    if (object.key.size() > begin) names.push_back(object.key.substr(begin));
  for (const auto& folder : listing.folders) names.push_back(folder.substr(begin, folder.size() - begin - 1));
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

void S3Store::write_texts(std::vector<Appends::Grown>& texts) const {
  std::deque<Pieces> values;
  std::vector<aws::S3Put> puts;
  for (auto& text : texts) {
    values.emplace_back().borrow(std::as_bytes(std::span(text.text)));
    puts.push_back({.place = place_of(text.key),
                    .body = &values.back(),
                    .condition = text.is_new ? aws::S3Condition::if_absent : aws::S3Condition::none});
  }
  const auto written = client_->put(puts);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (written[i]) continue;
    const auto there = client_->get(aws::S3Get{puts[i].place});
    texts[i].before = there ? there->bytes.text() : "";
    // An answer that got lost leaves us our own text to find.
    if (texts[i].before == texts[i].text) texts[i].before.clear();
    Pieces whole;
    whole.own(texts[i].before);
    whole.borrow(std::as_bytes(std::span(texts[i].text)));
    client_->put({.place = puts[i].place, .body = &whole});
  }
}

}  // namespace

std::unique_ptr<storage::ObjectStore> open_s3_store(std::shared_ptr<aws::S3Client> client, const std::string& url) {
  auto root = aws::parse_s3_url(url);
  while (root.key.ends_with('/')) root.key.pop_back();
  return std::make_unique<S3Store>(std::move(client), std::move(root));
}

}  // namespace metaflow::cloud
