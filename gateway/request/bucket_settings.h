// Documents of a bucket, as its settings keep them.
#pragma once

#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "metadata/model/bucket.h"

namespace rondel::request {

// Replaces (nullopt: removes) a document of the bucket; later requests of this gateway see it at once.
Answer<void> store_setting(Context& context, metadata::SettingKind kind, std::optional<std::string> document);

// The document, or null.
const std::string* find_setting(const Context& context, metadata::SettingKind kind);

}  // namespace rondel::request
