#include "common/http/chunked_decoder.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace rondel::http {

std::optional<std::string> ChunkedDecoder::take_line(ByteView input, Step& step) {
  while (step.consumed < input.size()) {
    const char c = static_cast<char>(input[step.consumed++]);
    line_ += c;
    if (c == '\n') {
      if (line_.size() < 2 || line_[line_.size() - 2] != '\r') {
        step.malformed = true;
        return std::nullopt;
      }
      std::string line = std::exchange(line_, {});
      line.resize(line.size() - 2);
      step.malformed = line.contains('\r');  // Others take it for a line's end.
      return line;
    }
    if (line_.size() > kLineMax) {
      step.malformed = true;
      return std::nullopt;
    }
  }
  return std::nullopt;
}

bool ChunkedDecoder::parse_size(const std::string& line) {
  const std::string_view digits = std::string_view(line).substr(0, line.find(';'));
  if (digits.empty() || digits.size() > 15) return false;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
  return parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size();
}

ChunkedDecoder::Step ChunkedDecoder::feed(ByteView input) {
  Step step;
  step.malformed = state_ == State::kMalformed;
  while (step.consumed < input.size() && !step.malformed && state_ != State::kDone) {
    if (state_ == State::kData) {
      const auto count =
          static_cast<size_t>(std::min<uint64_t>(left_, input.size() - step.consumed));
      step.body = input.subspan(step.consumed, count);
      step.consumed += count;
      left_ -= count;
      if (left_ == 0) state_ = State::kDataEnd;
      return step;
    }
    const auto line = take_line(input, step);
    if (!line || step.malformed) break;
    if (state_ == State::kSizeLine) {
      step.malformed = !parse_size(*line);
      state_ = left_ == 0 ? State::kTrailer : State::kData;
    } else if (state_ == State::kDataEnd) {
      step.malformed = !line->empty();
      state_ = State::kSizeLine;
    } else {
      trailer_bytes_ += line->size() + 2;
      step.malformed = trailer_bytes_ > kTrailerMax;
      if (line->empty()) state_ = State::kDone;
    }
  }
  if (step.malformed) state_ = State::kMalformed;
  return step;
}

}  // namespace rondel::http
