#include "gateway/request/bucket_settings.h"

#include "gateway/request/context.h"
#include "metadata/model/bucket.h"

namespace rondel::request {

const std::string* find_setting(const Context& context, metadata::SettingKind kind) {
  const auto found = context.bucket->settings.find(kind);
  return found == context.bucket->settings.end() ? nullptr : &found->second;
}

}  // namespace rondel::request
