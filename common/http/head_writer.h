// Writes the fields of heads, for the server's answers and the client's requests: the only code
// that does.
//
// What a field holds may come from anyone: a document of years ago, a row, a header of the request.
// So a field goes out as it is or not at all. One whose name or value could end its line or be read
// as another field is left out whole and counted, never cut or mended, since half a value is a
// wrong one. Whoever takes a value in refuses it there (docs/s3-compatibility.md); this is the
// second line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rondel::http {

// Characters of a token (RFC 9110, section 5.6.2) and bytes from 0x80 on; at least one.
bool is_field_name(std::string_view name);
// No byte of 0x00 to 0x1f, the tab included, and not 0x7f. Bytes from 0x80 on (obs-text) may stand
// in it.
bool is_field_value(std::string_view value);

// "name: value\r\n", or nothing and fields_left_out() is one more. Safe for concurrent use on
// different heads.
void append_field(std::string& head, std::string_view name, std::string_view value);

// By the whole process since its start. Safe for concurrent use.
uint64_t fields_left_out();

}  // namespace rondel::http
