#include "gateway/request/lifecycle_rules.h"

#include "jobs/lifecycle/rule.h"
#include "metadata/model/bucket.h"

namespace rondel::request {

namespace {
constexpr size_t kBucketsMax = 1024;
}

std::shared_ptr<const lifecycle::Configuration> LifecycleRules::of(const metadata::Bucket& bucket) {
  const auto setting = bucket.settings.find(metadata::SettingKind::kLifecycle);
  if (setting == bucket.settings.end()) return nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(bucket.id);
    if (found != entries_.end() && found->second.settings_version == bucket.settings_version) return found->second.rules;
  }
  auto decoded = lifecycle::decode(setting->second);
  if (!decoded) return nullptr;
  auto rules = std::make_shared<const lifecycle::Configuration>(*std::move(decoded));
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= kBucketsMax) entries_.clear();
  entries_[bucket.id] = {bucket.settings_version, rules};
  return rules;
}

}  // namespace rondel::request
