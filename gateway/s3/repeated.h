// Fields of a head and parameters of a query that come more than once. Signature, policy and
// handler each ask for the value of a name; so that all of them see the same one, a name has one
// value: lists are joined by ',' before anybody asks, as signature version 4 has them, anything
// else that is repeated is refused. Source: RFC 9110 section 5.3; "Create a canonical request", IAM
// user guide.
#pragma once

#include <optional>
#include <string_view>

#include "common/http/message.h"
#include "gateway/s3/error.h"
#include "gateway/s3/request.h"

namespace rondel::s3 {

// Whether a field of this name is a list, whose lines may be joined. Any x-amz-* that is not, and
// what HTTP has with one value, comes once.
bool is_list_field(std::string_view name);
bool is_single_field(std::string_view name);

// kInvalidArgument: a field with one value, or a parameter, comes more than once.
S3Result<void> check_repeated(const http::Fields& fields);
S3Result<void> check_repeated(const Query& query);

// The fields with each list joined at the place of its first line; nullopt: no list comes more than
// once.
std::optional<http::Fields> joined_lists(const http::Fields& fields);

}  // namespace rondel::s3
