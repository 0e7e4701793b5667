// The way of a request until it is believed: head, framing, chunked body, routing, query.
#include "common/http/chunked_decoder.h"
#include "common/http/head_parser.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/request.h"
#include "tests/fuzz/input.h"

using namespace rondel;

namespace {

// Any pieces give the same body.
void decode_chunked(std::string_view text, size_t piece) {
  std::string whole, pieces;
  bool whole_bad = false, pieces_bad = false;
  const auto decode = [](std::string_view input, size_t step, std::string& out) {
    http::ChunkedDecoder decoder;
    while (!input.empty() && !decoder.done()) {
      ByteView run = as_bytes(input.substr(0, step));
      while (!run.empty() && !decoder.done()) {
        const auto taken = decoder.feed(run);
        fuzz::require(taken.consumed <= run.size());
        if (taken.malformed) return true;
        out += as_text(taken.body);
        if (taken.consumed == 0 && taken.body.empty()) break;
        run = run.subspan(taken.consumed);
        input.remove_prefix(taken.consumed);
      }
    }
    return false;
  };
  whole_bad = decode(text, text.size(), whole);
  pieces_bad = decode(text, piece, pieces);
  fuzz::require(whole_bad == pieces_bad && whole == pieces);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const size_t piece = 1 + input.choice();
  const std::string_view text = input.rest();
  const size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    (void)s3::parse_query(text);
    (void)s3::parse_range(text);
    (void)s3::parse_date(text);
    (void)s3::parse_etags(text);
    return 0;
  }
  const auto head = http::parse_request_head(text.substr(0, end + 4), 200);
  if (!head) return 0;
  fuzz::require(!(head->chunked && head->content_length));
  for (const char* base : {"", "example.test"}) {
    const auto request = s3::route(*head, {base});
    if (!request) continue;
    const auto& row = s3::row(request->operation);
    fuzz::require(row.level == s3::Level::kService || s3::is_valid_bucket_name(request->bucket));
    fuzz::require(row.level != s3::Level::kObject ||
                  (!request->key.empty() && request->key.size() <= 1024));
  }
  if (head->chunked) decode_chunked(text.substr(end + 4), piece);
  return 0;
}
