#include "common/async/task.h"
#include "gateway/api/post_object.h"
#include "gateway/api/s3_service.h"
#include "gateway/api/trace.h"
#include "gateway/request/refusals.h"
#include "gateway/s3/error.h"
#include "gateway/s3/operation.h"
#include "gateway/signature/post_policy.h"
#include "gateway/signature/post_signature.h"

namespace rondel::api {

using s3::ErrorCode;
using s3::Operation;

// A form is signed by its fields; then it is a PutObject.
async::Task<s3::S3Result<request::Response>> S3Service::answer_form(http::Exchange& exchange,
                                                                    Trace& trace) {
  CO_S3(const std::unique_ptr<PostForm> form,
        co_await PostForm::open(exchange, services_.admission->documents, trace.address));
  trace.claimed = signature::claimed_by_form(form->fields());
  auto posted = co_await signature::authenticate_post(
      services_.identities, services_.authenticator.options(), form->fields(),
      deadline_in(services_.settings.metadata_timeout));
  if (!posted) co_return std::unexpected(count_refusal(request::to_s3(posted.error())));
  if (posted->policy) {
    const auto policy = signature::parse_post_policy(*posted->policy);
    if (!policy) co_return s3::fail(ErrorCode::kInvalidPolicyDocument, policy.error());
    if (const auto allowed = signature::check_post_policy(
            *policy, form->fields(), trace.request->bucket, services_.clock.now());
        !allowed) {
      co_return s3::fail(ErrorCode::kAccessDenied, allowed.error());
    }
    form->set_size_range(policy->size_min, policy->size_max);
  }
  if (!posted->identity.anonymous() && !form->count_to(services_.admission->parties.account(
                                           posted->identity.credential->account.id))) {
    co_return std::unexpected(
        s3::retry_later(ErrorCode::kSlowDown, "the account's share is used up"));
  }
  const s3::Request request{Operation::kPostObject, trace.request->bucket, form->key(), {}};
  auto response = co_await answer_as(std::move(posted->identity), *form, request, trace);
  if (!response && form->refusal()) co_return std::unexpected(*form->refusal());
  if (!response) co_return response;
  co_return form->answer(*std::move(response), exchange.head(), *trace.bucket);
}

}  // namespace rondel::api
