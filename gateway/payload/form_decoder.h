// multipart/form-data as browsers post files to S3: bounded fields, then one file, streamed. Pure,
// incremental; no I/O. Source: RFC 7578, RFC 2046 section 5.1.1; "POST Object", S3 API reference
// (form fields before the file: 20 KiB).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/bytes.h"

namespace rondel::payload {

// Of a Content-Type header: 1 to 70 characters; nullopt when it is no multipart/form-data or has no
// valid boundary.
std::optional<std::string> form_boundary(std::string_view content_type);

// Fed with bytes as they come. One coroutine.
class FormDecoder {
 public:
  enum class State { kFields, kFile, kFileEnded, kNoFile, kMalformed, kFieldsTooLarge };

  static constexpr size_t kFieldBytesMax = 20 * 1024;  // Names and values together.
  // Everything before the file, framing included.
  static constexpr size_t kHeadBytesMax = 96 * 1024;
  static constexpr size_t kFieldsMax = 256;

  explicit FormDecoder(std::string_view boundary);

  State state() const { return state_; }

  // Takes what comes before the file. All of `input` was taken unless state() changed.
  void decode_fields(ByteView& input);
  // Takes bytes from the front of `input` and returns a run of the file's, valid until the next
  // call or the end of `input`'s life; empty when there is none yet: then all of `input` was taken,
  // or state() says what came to its end.
  ByteView decode(ByteView& input);

  // Names in lower case, in order of arrival. Complete once the state is not kFields.
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

  // Bytes looked at so far for the ends of heads and fields: for each that came at most as many as
  // the delimiter has, however small the pieces are.
  uint64_t steps() const { return steps_; }

  // As the client names its file, without folders; empty when it says none.
  const std::string& file_name() const { return file_name_; }

 private:
  bool take_part();
  bool pass_preamble();
  bool take_part_head();
  size_t find_ahead(std::string_view text);
  bool begin_part(std::string_view head);
  ByteView take_file(ByteView& input);
  ByteView take_joint(ByteView& input);

  const std::string delimiter_;  // CR LF "--" boundary.
  State state_ = State::kFields;
  std::string head_;  // What came before the file.
  bool preamble_ = true;
  size_t part_ = 0;   // In head_: behind the delimiter of the part that is being read.
  size_t value_ = 0;  // Where its value begins, once in_value_.
  bool in_value_ = false;
  uint64_t steps_ = 0;
  size_t searched_ = 0;  // What is looked for does not begin before.
  size_t field_bytes_ = 0;
  size_t head_bytes_ = 0;
  std::vector<std::pair<std::string, std::string>> fields_;
  std::string file_name_;
  std::string carry_;  // May be the begin of a delimiter.
  std::string joint_;
};

}  // namespace rondel::payload
