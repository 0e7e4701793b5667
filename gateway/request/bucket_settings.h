// Documents of a bucket, as its settings keep them.
#pragma once

#include <string>

#include "gateway/request/context.h"
#include "metadata/model/bucket.h"

namespace rondel::request {

// The document, or null.
const std::string* find_setting(const Context& context, metadata::SettingKind kind);

}  // namespace rondel::request
