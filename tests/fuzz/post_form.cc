// Forms with a file, fed in pieces, and the policies in them.
#include <algorithm>

#include "common/base/encoding.h"
#include "gateway/payload/form_decoder.h"
#include "gateway/signature/post_policy.h"
#include "tests/fuzz/input.h"

using namespace rondel;

namespace {

struct Outcome {
  payload::FormDecoder::State state;
  signature::FormFields fields;
  std::string file_name;
  std::string file;
};

Outcome decode(std::string_view text, size_t piece) {
  using State = payload::FormDecoder::State;
  payload::FormDecoder decoder("B0");
  Outcome out;
  while (!text.empty() && (decoder.state() == State::kFields || decoder.state() == State::kFile)) {
    const std::string copy(text.substr(0, piece));
    text.remove_prefix(copy.size());
    ByteView input = as_bytes(copy);
    for (;;) {
      const State before = decoder.state();
      const size_t left = input.size();
      const ByteView run = decoder.decode(input);
      fuzz::require(input.size() <= left);
      out.file += as_text(run);
      if (run.empty() && (input.empty() || decoder.state() == before)) break;
    }
  }
  out.state = decoder.state();
  out.fields = decoder.fields();
  out.file_name = decoder.file_name();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using State = payload::FormDecoder::State;
  fuzz::Input input(data, size);
  const size_t piece = 1 + input.choice();
  const std::string_view text = input.rest();
  (void)payload::form_boundary(text.substr(0, 256));
  const Outcome whole = decode(text, std::max<size_t>(1, text.size()));
  const Outcome pieces = decode(text, piece);
  fuzz::require(whole.state == pieces.state);
  fuzz::require(whole.fields.size() <= payload::FormDecoder::kFieldsMax + 1);
  if (whole.state == State::kFileEnded) {
    fuzz::require(whole.fields == pieces.fields && whole.file == pieces.file &&
                  whole.file_name == pieces.file_name);
    fuzz::require(whole.file.find("\r\n--B0") == std::string::npos);
  }
  std::string policy(text);
  for (const auto& [name, value] : whole.fields) {
    if (name == "policy") policy = from_base64(value).value_or(value);
  }
  if (const auto parsed = signature::parse_post_policy(policy)) {
    (void)signature::check_post_policy(*parsed, whole.fields, "bucket", SystemTime{});
  }
  return 0;
}
