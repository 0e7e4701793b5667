#include "gateway/api/dispatch.h"

#include "gateway/buckets/handlers.h"
#include "gateway/listing/handlers.h"
#include "gateway/multipart/handlers.h"
#include "gateway/objects/handlers.h"
#include "gateway/permissions/admission.h"
#include "gateway/permissions/handlers.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/payer.h"
#include "gateway/s3/error.h"
#include "gateway/s3/operation.h"

namespace rondel::api {

using s3::ErrorCode;
using s3::Operation;

// One for each row of the table; null: not implemented.
request::Handler find_handler(Operation operation) {
  static constexpr request::Handler kHandlers[] = {
#define RONDEL_S3_OPERATION(name, method, level, sub_resource, action, decision, effect, body, \
                            settings, handler)                                                 \
  handler,
#include "gateway/s3/operation_list.h"
#undef RONDEL_S3_OPERATION
  };
  return kHandlers[static_cast<size_t>(operation)];
}

// A new version is named by nobody but the store.
s3::S3Result<void> check_names_no_version(const request::Context& context) {
  const Operation operation = context.request.operation;
  const auto version = context.request.query.find("versionId");
  if (!version || (operation != Operation::kPutObject && operation != Operation::kCopyObject)) {
    return {};
  }
  return s3::fail(ErrorCode::kInvalidArgument, "This operation does not accept a version-id.",
                  {{"ArgumentName", "versionId"}, {"ArgumentValue", std::string(*version)}});
}

// Another gateway may have changed a moment ago what a refusal rests on. (What is allowed by old
// settings is noticed by look-up and commit.)
request::Answer<void> admit_fresh(request::Context& context) {
  auto admitted = permissions::admit(context);
  if (admitted || !context.bucket ||
      !context.services.bucket_cache.doubt_bucket(context.bucket->name)) {
    co_return admitted;
  }
  CO_S3_VOID(co_await request::reload_bucket(context));
  co_return permissions::admit(context);
}

request::Answer<request::Response> dispatch(request::Context& context) {
  CO_S3_VOID(co_await admit_fresh(context));
  if (!request::try_charge(context)) CO_S3_VOID(co_await request::charge_later(context));
  const request::Handler handler = find_handler(context.request.operation);
  if (handler == nullptr) {
    co_return std::unexpected(request::not_implemented(context.request.operation));
  }
  CO_S3_VOID(check_names_no_version(context));
  auto response = co_await handler(context);
  // A handler that forgot to ask: never an answer that nobody decided about.
  if (response && context.access.undecided) {
    co_return std::unexpected(s3::Error{
        ErrorCode::kInternalError, {}, {}, {}, "nobody decided whether this was allowed"});
  }
  co_return response;
}

}  // namespace rondel::api
