#include "gateway/request/cors_rules.h"

namespace rondel::request {

std::shared_ptr<const s3::CorsRules> CorsRulesCache::of(const metadata::Bucket& bucket) {
  const auto setting = bucket.settings.find(metadata::SettingKind::kCors);
  if (setting == bucket.settings.end()) return nullptr;
  if (auto known = rules_.find(bucket.id, bucket.settings_version)) return known;
  auto parsed = s3::parse_cors_document(setting->second);
  if (!parsed) return nullptr;
  s3::CorsRules rules(*std::move(parsed));
  const size_t bytes = rules.memory_bytes();
  return rules_.keep(bucket.id, bucket.settings_version, std::move(rules), bytes);
}

}  // namespace rondel::request
