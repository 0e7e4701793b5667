// Ciphertext frames: what was not sealed so is refused, whatever pieces it comes in.
#include <algorithm>

#include "kms/envelope.h"
#include "kms/frames.h"
#include "tests/fuzz/input.h"

using namespace rondel;

namespace {

std::string seal(const crypto::Secret& key, const model::StreamId& stream, std::string_view plain) {
  kms::FrameSealer sealer(key, stream, plain.size());
  std::string out;
  ByteView in = as_bytes(plain);
  while (!in.empty()) {
    const auto frame = sealer.seal(in);
    fuzz::require(frame.has_value());
    out += as_text(*frame);
  }
  const auto last = sealer.finish();
  fuzz::require(last.has_value());
  out += as_text(*last);
  fuzz::require(out.size() == kms::stored_size(plain.size()));
  return out;
}

// nullopt: refused.
std::optional<std::string> open(const crypto::Secret& key, const model::StreamId& stream,
                                std::string_view stored, uint64_t offset, uint64_t length,
                                size_t piece) {
  const auto range = kms::stored_range(stored.size(), offset, length);
  if (!range) return std::nullopt;
  fuzz::require(range->offset + range->length <= stored.size());
  kms::FrameOpener opener(key, stream, stored.size(), offset, length);
  std::string out;
  std::string_view rest = stored.substr(range->offset, range->length);
  while (!rest.empty()) {
    ByteView in = as_bytes(rest.substr(0, piece));
    rest.remove_prefix(in.size());
    while (!in.empty()) {
      const auto bytes = opener.open(in);
      if (!bytes) return std::nullopt;
      out += as_text(bytes->view());
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint8_t choice = input.choice();
  const crypto::Secret key(std::string(32, 'k'));
  model::StreamId stream{};
  const size_t piece = 1 + input.choice() * 601;
  const uint64_t offset = input.number() % 200'000;
  const uint64_t length = 1 + input.number() % 200'000;
  const size_t at = input.number() % 150'000;
  std::string plain(input.rest());
  if (choice % 4 == 0) {
    (void)kms::decode(plain);
    (void)open(key, stream, plain, offset, length, piece);
    return 0;
  }
  // Long enough for several frames.
  for (int i = 0; i < choice / 64 && !plain.empty(); ++i) {
    while (plain.size() < 70'000) plain += plain;
  }
  std::string stored = seal(key, stream, plain);
  const auto good = open(key, stream, stored, offset, length, piece);
  fuzz::require(good.has_value() == (offset + length <= plain.size()));
  if (good) fuzz::require(*good == std::string_view(plain).substr(offset, length));
  if (stored.empty() || !good) return 0;
  // One byte changed is refused when it lies in a frame of the range, and does no harm otherwise.
  stored[at % stored.size()] = static_cast<char>(stored[at % stored.size()] ^ 1);
  const auto bad = open(key, stream, stored, offset, length, piece);
  if (bad) fuzz::require(*bad == *good);
  return 0;
}
