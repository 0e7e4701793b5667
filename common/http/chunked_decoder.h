// Decodes Transfer-Encoding: chunked (RFC 9112, section 7.1), strictly: no bare LF, bounded
// extensions and trailers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/bytes.h"

namespace rondel::http {

class ChunkedDecoder {
 public:
  struct Step {
    size_t consumed = 0;  // Of the input.
    ByteView body;        // Inside the consumed input; may be empty.
    bool malformed = false;
  };

  // Consumes up to the end of one run of body bytes. Call again with the rest. Malformed once is
  // malformed for good.
  Step feed(ByteView input);

  bool done() const { return state_ == State::kDone; }

 private:
  enum class State { kSizeLine, kData, kDataEnd, kTrailer, kDone, kMalformed };
  static constexpr size_t kLineMax = 4096;
  static constexpr size_t kTrailerMax = 16 * 1024;

  // Takes a line with its CRLF off the input; nullopt: more is needed.
  std::optional<std::string> take_line(ByteView input, Step& step);
  bool parse_size(const std::string& line);

  State state_ = State::kSizeLine;
  std::string line_;
  uint64_t left_ = 0;
  size_t trailer_bytes_ = 0;
};

}  // namespace rondel::http
