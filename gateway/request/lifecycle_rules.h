// LifecycleRules: the decoded lifecycle rules of buckets, kept from one request to the next.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>

#include "jobs/lifecycle/decision.h"
#include "jobs/lifecycle/rule.h"
#include "metadata/model/bucket.h"

namespace rondel::request {

// Safe for concurrent use. Holds a bounded number of buckets.
class LifecycleRules {
 public:
  // Null: the bucket has none.
  std::shared_ptr<const lifecycle::Configuration> of(const metadata::Bucket& bucket);

 private:
  struct Entry {
    int64_t settings_version = 0;
    std::shared_ptr<const lifecycle::Configuration> rules;
  };
  std::mutex mutex_;
  std::unordered_map<int64_t, Entry> entries_;
};

}  // namespace rondel::request
