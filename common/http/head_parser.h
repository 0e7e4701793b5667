// Parses the head of one HTTP/1.1 request that lies complete in memory. No I/O.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "common/http/message.h"

namespace rondel::http {

// `text` ends with the empty line. Refused: what RFC 9112 forbids or allows to refuse, see
// server.h.
std::expected<RequestHead, Refusal> parse_request_head(std::string_view text, size_t fields_max);

// Does the field's comma-separated list hold `token`, case-insensitively?
bool has_token(const Fields& fields, std::string_view name, std::string_view token);

}  // namespace rondel::http
