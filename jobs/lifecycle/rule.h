// Lifecycle rules of a bucket. Source: "Managing the lifecycle of objects", S3 user guide.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"

namespace rondel::lifecycle {

using Tags = std::vector<std::pair<std::string, std::string>>;

// What a rule applies to: everything given must hold.
struct Filter {
  // How it was written, to be answered the same way.
  enum class Form : uint8_t { kPrefixElement = 0, kEmpty = 1, kSingle = 2, kAnd = 3 };
  Form form = Form::kEmpty;
  std::optional<std::string> prefix;
  Tags tags;
  std::optional<uint64_t> size_greater_than;
  std::optional<uint64_t> size_less_than;

  bool operator==(const Filter&) const = default;

  bool matches_key(std::string_view key) const { return !prefix || key.starts_with(*prefix); }

  bool matches(std::string_view key, uint64_t size, const Tags& object_tags) const;

  // Of things without tags and size: delete markers, uploads.
  bool by_prefix_alone() const { return tags.empty() && !size_greater_than && !size_less_than; }
};

struct Rule {
  std::string id;
  bool enabled = true;
  Filter filter;
  std::optional<uint32_t> days;     // Expiration of current versions: after days, or
  std::optional<SystemTime> date;   // from this midnight UTC on.
  bool lone_markers = false;        // ExpiredObjectDeleteMarker.
  bool keeps_lone_markers = false;  // It was given as false: kept, and does nothing.
  std::optional<uint32_t> noncurrent_days;
  std::optional<uint32_t> newer_noncurrent;  // Keeps so many of the newest noncurrent ones.
  std::optional<uint32_t> abort_days;        // Of uploads, after initiation.

  bool operator==(const Rule&) const = default;
};

struct Configuration {
  std::vector<Rule> rules;
  bool operator==(const Configuration&) const = default;
};

// One line a rule; a changed rule has a changed line.
std::string encode(const Rule& rule);
std::string encode(const Configuration& configuration);
// nullopt: not the form that encode writes.
std::optional<Configuration> decode(std::string_view text);

}  // namespace rondel::lifecycle
