// Conditional headers: of reads decided here, of writes handed to the commit.
#pragma once

#include "common/http/message.h"
#include "gateway/s3/error.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_context.h"

namespace rondel::request {

// If-Match, If-None-Match, ... with `prefix` before the name ("x-amz-copy-source-").
metadata::Conditions read_conditions(const http::Fields& fields, std::string_view prefix = "");
// If-Match and If-None-Match of a PUT, COPY or COMPLETE.
metadata::Conditions write_conditions(const http::Fields& fields);
// If-Match, x-amz-if-match-size, x-amz-if-match-last-modified-time of a DELETE.
s3::S3Result<metadata::Conditions> delete_conditions(const http::Fields& fields);

enum class Verdict { kProceed, kNotModified, kPreconditionFailed };
// By RFC 9110, section 13.2.2.
Verdict judge(const metadata::Conditions& conditions, const metadata::ObjectVersion& object);

}  // namespace rondel::request
