// Follows the answers on one connection: status and where each ends. Bodies are counted, not kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/bytes.h"
#include "common/http/chunked_decoder.h"

namespace rondel::s3_client {

class AnswerParser {
 public:
  // Before each answer. An answer to HEAD has no body.
  void begin(bool to_head);

  // Takes bytes of the answer; false when it is malformed or goes on after its end.
  bool feed(ByteView bytes);

  bool done() const { return state_ == State::kDone; }

  int status() const { return status_; }

  uint64_t body_bytes() const { return body_bytes_; }

  bool keep_alive() const { return keep_alive_; }

  // The start of the body of an answer that is an error, for messages.
  const std::string& error_text() const { return error_text_; }

 private:
  enum class State { kHead, kSized, kChunked, kDone };
  static constexpr size_t kHeadMax = 64 * 1024;
  static constexpr size_t kErrorTextMax = 400;

  bool parse_head(std::string_view head);
  bool apply_field(std::string_view name, std::string_view value);
  bool feed_body(ByteView bytes);
  void take(ByteView body);

  State state_ = State::kDone;
  std::string head_;
  bool to_head_ = false;
  bool chunked_ = false;
  bool keep_alive_ = true;
  int status_ = 0;
  uint64_t left_ = 0;
  uint64_t body_bytes_ = 0;
  std::string error_text_;
  http::ChunkedDecoder decoder_;
};

}  // namespace rondel::s3_client
