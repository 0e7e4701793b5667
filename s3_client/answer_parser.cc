#include "s3_client/answer_parser.h"

#include <algorithm>
#include <charconv>

#include "common/http/message.h"

namespace rondel::s3_client {

void AnswerParser::begin(bool to_head) {
  state_ = State::kHead;
  to_head_ = to_head;
  chunked_ = false;
  keep_alive_ = true;
  status_ = 0;
  left_ = 0;
  body_bytes_ = 0;
  head_.clear();
  error_text_.clear();
}

bool AnswerParser::apply_field(std::string_view name, std::string_view value) {
  if (http::iequals(name, "content-length")) {
    const auto end = value.data() + value.size();
    const auto parsed = std::from_chars(value.data(), end, left_);
    return parsed.ec == std::errc() && parsed.ptr == end;
  }
  if (http::iequals(name, "transfer-encoding")) {
    chunked_ = http::iequals(value, "chunked");
    return chunked_;
  }
  if (http::iequals(name, "connection") && http::iequals(value, "close")) keep_alive_ = false;
  return true;
}

bool AnswerParser::parse_head(std::string_view head) {
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 12) return false;
  const auto parsed = std::from_chars(head.data() + 9, head.data() + 12, status_);
  if (parsed.ec != std::errc()) return false;
  size_t at = head.find("\r\n") + 2;
  while (at < head.size()) {
    const size_t end = head.find("\r\n", at);
    const std::string_view line = head.substr(at, end - at);
    at = end + 2;
    if (line.empty()) break;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    if (!apply_field(line.substr(0, colon), value)) return false;
  }
  const bool bodiless = to_head_ || status_ == 204 || status_ == 304;
  if (bodiless) left_ = 0;
  if (chunked_ && !bodiless) {
    decoder_ = http::ChunkedDecoder();
    state_ = State::kChunked;
  } else {
    state_ = left_ == 0 ? State::kDone : State::kSized;
  }
  return true;
}

bool AnswerParser::feed(ByteView bytes) {
  if (state_ != State::kHead) return feed_body(bytes);
  const std::string_view text = as_text(bytes);
  std::string_view whole = text;
  if (!head_.empty()) whole = head_.append(text);
  const size_t end = whole.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (head_.empty()) head_ = text;
    return head_.size() <= kHeadMax;
  }
  const size_t rest = whole.size() - end - 4;
  if (!parse_head(whole.substr(0, end + 4))) return false;
  if (status_ < 200) {  // An interim answer: the real one follows.
    begin(to_head_);
    return rest == 0 || feed(bytes.last(rest));
  }
  return rest == 0 || feed_body(bytes.last(rest));
}

bool AnswerParser::feed_body(ByteView bytes) {
  if (state_ == State::kSized) {
    if (bytes.size() > left_) return false;
    left_ -= bytes.size();
    take(bytes);
    if (left_ == 0) state_ = State::kDone;
    return true;
  }
  if (state_ == State::kDone) return bytes.empty();
  while (!bytes.empty()) {
    if (decoder_.done()) return false;
    const auto step = decoder_.feed(bytes);
    if (step.malformed) return false;
    take(step.body);
    bytes = bytes.subspan(step.consumed);
  }
  if (decoder_.done()) state_ = State::kDone;
  return true;
}

void AnswerParser::take(ByteView body) {
  body_bytes_ += body.size();
  if (status_ < 300 || error_text_.size() >= kErrorTextMax) return;
  error_text_.append(as_text(body).substr(0, kErrorTextMax - error_text_.size()));
}

}  // namespace rondel::s3_client
