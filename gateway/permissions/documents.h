// Bodies that are documents: whoever may send one is asked again when it is here, for it may have
// taken its time. What is made of it is bound to what was decided by its commit.
#pragma once

#include <string>

#include "gateway/request/answers.h"
#include "gateway/request/context.h"

namespace rondel::permissions {

// request::read_document, read_vouched_document, and admission again (admission.h).
request::Answer<std::string> read_document(request::Context& context, size_t bytes_max);
request::Answer<std::string> read_vouched_document(request::Context& context, size_t bytes_max);

}  // namespace rondel::permissions
