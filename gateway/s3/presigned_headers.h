// Headers that a presigned URL carries in its query: presigners of SDKs put them there, and they
// are under the signature as the rest of the query is. For handlers and policies they are headers.
#pragma once

#include <optional>

#include "common/http/message.h"
#include "gateway/s3/error.h"
#include "gateway/s3/request.h"

namespace rondel::s3 {

// The fields with every x-amz-* parameter of a query that is signed (version 4) added as a header;
// nullopt: there is none. Left out are the signature's own, those about the body's transfer, and
// checksums: SDKs sign that of nothing into a URL, and AWS does not compare it. kNotImplemented:
// encryption, which AWS ignores there and which would then be believed to be on. kInvalidArgument:
// what no header can carry, or a header that is given twice.
S3Result<std::optional<http::Fields>> with_presigned_headers(const http::Fields& fields,
                                                             const Query& query);

}  // namespace rondel::s3
