// LifecycleConfiguration as XML. Source: PutBucketLifecycleConfiguration,
// GetBucketLifecycleConfiguration, S3 API reference.
#pragma once

#include <string>
#include <string_view>

#include "gateway/s3/error.h"
#include "jobs/lifecycle/rule.h"

namespace rondel::s3 {

inline constexpr size_t kLifecycleRulesMax = 1000;
// 1000 rules, each with a prefix of 1024 bytes and tags, escaped.
inline constexpr size_t kLifecycleDocumentBytesMax = 4 << 20;

// Rules without an ID get one made of `id_seed` and their place. Errors: kMalformedXML;
// kInvalidArgument: days below 1, a date that is no midnight, an id too long or given twice;
// kInvalidRequest: no action, actions that the filter forbids, too many rules; kInvalidTag;
// transitions: kNotImplemented for AWS's classes, kInvalidStorageClass for others.
S3Result<lifecycle::Configuration> parse_lifecycle_document(std::string_view text,
                                                            std::string_view id_seed);
std::string write_lifecycle_document(const lifecycle::Configuration& configuration);

}  // namespace rondel::s3
