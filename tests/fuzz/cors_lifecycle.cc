// CORS and lifecycle configurations: what is taken is written and read back the same.
#include "common/base/encoding.h"
#include "gateway/s3/cors.h"
#include "gateway/s3/lifecycle_document.h"
#include "tests/fuzz/input.h"

using namespace rondel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const bool lifecycle = input.choice() % 2 == 1;
  const std::string_view text = input.rest();
  if (lifecycle) {
    (void)s3::parse_lifecycle_document(text, "seed");
    return 0;
  }
  const auto rules = s3::parse_cors_document(text);
  if (!rules) return 0;
  const std::string written = s3::cors_document(*rules);
  const auto again = s3::parse_cors_document(written);
  fuzz::require(again.has_value());
  fuzz::require(s3::cors_document(*again) == written);
  const s3::CorsRules prepared(*rules);
  for (const char* origin : {"", "http://a", "https://x.example.com"}) {
    const s3::CorsRule* rule = prepared.find(origin, "GET", s3::parse_header_names("x-a, Y"));
    if (rule == nullptr) continue;
    for (const auto& [name, value] : s3::cors_fields(*rule, origin, {"x-a"})) {
      fuzz::require(!has_control_character(name) && !has_control_character(value));
    }
  }
  return 0;
}
