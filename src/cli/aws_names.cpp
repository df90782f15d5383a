#include "cli/aws_names.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace metaflow::cli {
namespace {

constexpr std::string_view s3_scheme = "s3://";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_letter_or_digit(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
bool is_blank_or_control(char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; }

/// Whether all characters are letters, digits or one of `others`.
bool consists_of_letters_digits(std::string_view text, std::string_view others) {
  return std::ranges::all_of(text,
                             [&](char c) { return is_letter_or_digit(c) || others.find(c) != std::string_view::npos; });
}

bool looks_like_address(std::string_view bucket) {
  return std::ranges::count(bucket, '.') == 3 &&
         std::ranges::all_of(bucket, [](char c) { return is_digit(c) || c == '.'; });
}

std::optional<std::string> mistake_in_bucket(std::string_view bucket) {
  const auto fits = [](char c) { return is_lower(c) || is_digit(c); };
  if (bucket.empty()) return "names no bucket: s3://BUCKET/PREFIX";
  if (bucket.size() < 3 || bucket.size() > 63)
    return fmt::format("names the bucket '{}', but names of buckets have 3 to 63 characters", bucket);
  for (const char c : bucket)
    if (!fits(c) && c != '-' && c != '.')
      return fmt::format("names the bucket '{}', but there is no '{}' in names of buckets: only a-z, 0-9, '-' and '.'",
                         bucket, c);
  if (!fits(bucket.front()) || !fits(bucket.back()))
    return fmt::format("names the bucket '{}', but names of buckets begin and end with a letter or a digit", bucket);
  if (bucket.find("..") != std::string_view::npos || looks_like_address(bucket))
    return fmt::format("names the bucket '{}', which S3 does not allow: no two dots in a row, no IP address", bucket);
  return std::nullopt;
}

/// Of an ARN that should be one of `service` with a resource `kind/name`.
std::optional<std::string> mistake_in_arn(std::string_view text, std::string_view service, std::string_view kind,
                                          std::string_view example) {
  const auto arn = parse_arn(text);
  if (!arn) return fmt::format("begins like an ARN and is none: it should look like {}", example);
  if (arn->service != service || !arn->resource.starts_with(kind) || arn->resource.size() == kind.size())
    return fmt::format("is the ARN of something else ({}:{}): it should look like {}", arn->service, arn->resource,
                       example);
  if (arn->account.size() != 12 || !std::ranges::all_of(arn->account, is_digit))
    return fmt::format("has '{}' for the number of the account, which has 12 digits", arn->account);
  return std::nullopt;
}

}  // namespace

std::optional<Arn> parse_arn(std::string_view text) {
  std::array<std::string, 5> parts;
  for (auto& part : parts) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    part = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  if (parts[0] != "arn" || parts[1].empty() || parts[2].empty() || text.empty()) return std::nullopt;
  if (std::ranges::any_of(text, is_blank_or_control)) return std::nullopt;
  return Arn{parts[1], parts[2], parts[3], parts[4], std::string(text)};
}

std::optional<std::string> mistake_in_s3_url(std::string_view url) {
  if (!url.starts_with(s3_scheme)) {
    const bool may_be_bucket = url.find("://") == std::string_view::npos && !url.starts_with("arn:");
    return may_be_bucket ? fmt::format("should begin with s3://, like s3://{}", url)
                         : "should be of the form s3://BUCKET/PREFIX";
  }
  if (std::ranges::any_of(url, is_blank_or_control)) return "has a blank in it";
  url.remove_prefix(s3_scheme.size());
  const auto slash = std::min(url.find('/'), url.size());
  if (auto mistake = mistake_in_bucket(url.substr(0, slash))) return mistake;
  if (url.substr(slash).find("//") != std::string_view::npos) return "has two slashes in a row behind the bucket";
  return std::nullopt;
}

std::optional<std::string> mistake_in_queue(std::string_view queue) {
  if (queue.starts_with("arn:"))
    return mistake_in_arn(queue, "batch", "job-queue/", "arn:aws:batch:REGION:123456789012:job-queue/NAME");
  if (queue.size() > 128) return "is too long for the name of a queue, which has at most 128 characters";
  if (!consists_of_letters_digits(queue, "-_"))
    return "is no name of a queue, in which are only letters, digits, '-' and '_'";
  return std::nullopt;
}

std::optional<std::string> mistake_in_role(std::string_view role) {
  if (role.starts_with("arn:")) return mistake_in_arn(role, "iam", "role/", "arn:aws:iam::123456789012:role/NAME");
  if (role.size() > 64) return "is too long for the name of a role, which has at most 64 characters";
  if (!consists_of_letters_digits(role, "_+=,.@-"))
    return "is no name of a role, in which are only letters, digits and _+=,.@-";
  return std::nullopt;
}

std::optional<std::string> mistake_in_image(std::string_view image) {
  if (image.find("://") != std::string_view::npos)
    return "is a web address; an image is named without it: REGISTRY/NAME:TAG";
  const auto slash = image.rfind('/');
  const auto last = slash == std::string_view::npos ? 0 : slash + 1;
  const auto name = image.substr(0, std::min(image.find_first_of(":@", last), image.size()));
  if (std::ranges::any_of(name, [](char c) { return c >= 'A' && c <= 'Z'; }))
    return fmt::format("has capital letters in '{}', which names of images have not", name);
  if (!consists_of_letters_digits(image, "-_./:@")) return "is no image: NAME:TAG or REGISTRY/NAME:TAG, without blanks";
  if (!is_letter_or_digit(image.front()) || !(is_letter_or_digit(image.back()) || image.back() == '_'))
    return "is no whole image: NAME:TAG or REGISTRY/NAME:TAG";
  return std::nullopt;
}

}  // namespace metaflow::cli
