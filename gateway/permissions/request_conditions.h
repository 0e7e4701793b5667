// What a request says about condition keys: headers, query, connection, signature, time, and the
// object once it is known.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/http/message.h"
#include "common/http/server.h"
#include "gateway/signature/authenticator.h"
#include "identity/policy/condition_key.h"
#include "metadata/model/object.h"

namespace rondel::permissions {

struct RequestFacts {
  const http::Fields* fields = nullptr;
  const std::vector<std::pair<std::string, std::string>>* query = nullptr;  // Decoded.
  const http::ConnectionInfo* connection = nullptr;
  const signature::Identity* identity = nullptr;
  SystemTime now;
  std::string_view region;
  std::string_view bucket_owner_account;
  bool creates_object = false;  // PutObject, CopyObject, CompleteMultipartUpload, PostObject.
  // In the place of the query's: entries of DeleteObjects, sources of copies. `names_version`: the
  // query is about something else.
  bool names_version = true;
  std::optional<std::string> version_id;
  const metadata::Tags* existing_tags = nullptr;  // Of the object; null until it is known.
  std::optional<metadata::Tags> request_tags;     // Of a body; otherwise those of x-amz-tagging.
  // Of whichever of the two counts, once they are asked for.
  mutable std::optional<metadata::Tags> tags_by_key;
  // Of a body; otherwise those of x-amz-object-lock-*.
  std::optional<metadata::Retention> retention;
  std::optional<bool> legal_hold;
};

class RequestConditions final : public policy::ConditionSource {
 public:
  explicit RequestConditions(RequestFacts facts) : facts(std::move(facts)) {}

  std::vector<std::string> values(const policy::KeyName& key) const override;

  RequestFacts facts;
};

}  // namespace rondel::permissions
