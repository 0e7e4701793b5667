// aws-chunked bodies in their four forms, fed in pieces.
#include "gateway/payload/aws_chunked.h"
#include "common/crypto/digest.h"
#include "tests/fuzz/input.h"

using namespace rondel;

namespace {

struct Outcome {
  bool refused = false;
  bool ended = false;
  std::string bytes;
  std::vector<std::pair<std::string, std::string>> trailer;
  bool operator==(const Outcome&) const = default;
};

Outcome decode(const signature::Identity& identity, std::string_view text, size_t piece) {
  payload::AwsChunkedDecoder decoder(identity, "x-amz-checksum-crc32c");
  Outcome out;
  while (!text.empty()) {
    const std::string copy(text.substr(0, piece));
    text.remove_prefix(copy.size());
    ByteView input = as_bytes(copy);
    while (!input.empty()) {
      const size_t before = input.size();
      const auto run = decoder.decode(input);
      if (!run || (decoder.ended() && !input.empty())) {
        out.refused = true;
        return out;
      }
      fuzz::require(input.size() < before);
      out.bytes += as_text(*run);
    }
  }
  out.refused = !decoder.finish();
  out.ended = decoder.ended();
  out.trailer = decoder.trailer();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  static constexpr signature::PayloadForm kForms[] = {
      signature::PayloadForm::kStreamingSigned, signature::PayloadForm::kStreamingSignedTrailer,
      signature::PayloadForm::kStreamingUnsignedTrailer};
  signature::Identity identity;
  identity.payload_form = kForms[input.choice() % 3];
  identity.signing_key = std::string(32, 'k');
  identity.seed_signature = std::string(64, 'a');
  identity.timestamp = "20240524T130000Z";
  identity.scope = {"20240524", "us-east-1", "s3"};
  const size_t piece = 1 + input.choice();
  const Outcome whole = decode(identity, input.rest(), std::max<size_t>(1, input.rest().size()));
  const Outcome pieces = decode(identity, input.rest(), piece);
  fuzz::require(whole.refused == pieces.refused);
  if (!whole.refused) fuzz::require(whole == pieces);
  return 0;
}
