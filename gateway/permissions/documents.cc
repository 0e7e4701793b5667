#include "gateway/permissions/documents.h"

#include "gateway/permissions/admission.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/documents.h"

namespace rondel::permissions {

request::Answer<std::string> read_document(request::Context& context, size_t bytes_max) {
  const SteadyTime begun = context.services.clock.steady_now();
  CO_S3(std::string text, co_await request::read_document(context, bytes_max));
  CO_S3_VOID(co_await admit_after_body(context, begun));
  co_return text;
}

request::Answer<std::string> read_vouched_document(request::Context& context, size_t bytes_max) {
  const SteadyTime begun = context.services.clock.steady_now();
  CO_S3(std::string text, co_await request::read_vouched_document(context, bytes_max));
  CO_S3_VOID(co_await admit_after_body(context, begun));
  co_return text;
}

}  // namespace rondel::permissions
