// Text forms of bytes: hexadecimal, base64 (RFC 4648), percent encoding (RFC 3986).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"

namespace rondel {

std::string to_hex(ByteView bytes);  // Lower case.
// Either case; nullopt when not hexadecimal.
std::optional<std::string> from_hex(std::string_view text);
std::string to_base64(ByteView bytes);  // With padding.
// Strict: padding required, no white space.
std::optional<std::string> from_base64(std::string_view text);
std::string to_base64url(ByteView bytes);                          // Without padding.
std::optional<std::string> from_base64url(std::string_view text);  // Strict, without padding.

// Everything but A-Z a-z 0-9 - . _ ~ becomes %XX (upper case); '/' too unless keep_slash.
std::string percent_encode(std::string_view text, bool keep_slash);
// nullopt for a malformed escape. plus_is_space as in form encoding.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

bool is_valid_utf8(std::string_view text);
// Bytes of the character that `text` begins with; 0: it begins with none.
size_t utf8_character(std::string_view text);
// A byte of 0x00 to 0x1f or 0x7f: what no header may carry.
bool has_control_character(std::string_view text);

}  // namespace rondel
