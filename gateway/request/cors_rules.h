// CorsRulesCache: the CORS rules of buckets, prepared once for a version of their settings.
#pragma once

#include "gateway/request/compiled_settings.h"
#include "gateway/s3/cors.h"
#include "metadata/model/bucket.h"

namespace rondel::request {

// Safe for concurrent use.
class CorsRulesCache {
 public:
  static constexpr size_t kBytesMax = 16 << 20;

  // Null: the bucket has none, or none that can be read.
  std::shared_ptr<const s3::CorsRules> of(const metadata::Bucket& bucket);

  size_t bytes() const { return rules_.bytes(); }

 private:
  CompiledSettings<s3::CorsRules> rules_{kBytesMax};
};

}  // namespace rondel::request
