// Bucket policies and what stands beside them in requests and rows.
#include "gateway/auth/acl.h"
#include "gateway/auth/access_settings.h"
#include "gateway/auth/grant_header.h"
#include "gateway/auth/policy.h"
#include "tests/fuzz/input.h"

using namespace rondel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint8_t choice = input.choice();
  const std::string_view text = input.rest();
  if (choice % 8 == 7) {
    (void)auth::parse_grant_header(text, auth::Permission::kRead);
    (void)auth::decode_acl(text, "owner");
    (void)auth::decode_block(text);
    return 0;
  }
  const auto policy = auth::Policy::parse(text, "bucket");
  if (!policy) {
    fuzz::require(!policy.error().empty());
    return 0;
  }
  fuzz::require(*policy != nullptr);
  (void)(*policy)->is_public();
  (void)(*policy)->named_accounts();
  (void)(*policy)->named_canonical_ids();
  return 0;
}
