// What is known of a request by its end: for its answer, the metrics and the log.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "gateway/admission/pool.h"
#include "gateway/api/s3_service.h"
#include "gateway/s3/error.h"
#include "gateway/s3/request.h"
#include "gateway/signature/claimed_identity.h"
#include "metadata/model/bucket.h"

namespace rondel::api {

// The x-amz-id-2 of every answer.
inline constexpr std::string_view kHostId = "rondel";

struct S3Service::Trace {
  SteadyTime begin = std::chrono::steady_clock::now();
  std::string id;
  std::optional<s3::Request> request;
  std::shared_ptr<const metadata::Bucket> bucket;
  std::string account;
  int status = 0;
  std::optional<s3::ErrorCode> error;
  std::string reason;
  std::string version_id;              // Of the answer.
  signature::ClaimedIdentity claimed;  // Of a form.
  bool requester_charged = false;
  admission::PartyRef address;
  admission::Pool::Hold ticket;
};

}  // namespace rondel::api
