// Bucket policies and what stands beside them in requests and rows.
#include "identity/access/access_settings.h"
#include "identity/access/acl.h"
#include "identity/access/grant_header.h"
#include "identity/policy/policy.h"
#include "tests/fuzz/input.h"

using namespace rondel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint8_t choice = input.choice();
  const std::string_view text = input.rest();
  if (choice % 8 == 7) {
    (void)access::parse_grant_header(text, policy::Permission::kRead);
    (void)access::decode_acl(text, "owner");
    (void)access::decode_block(text);
    return 0;
  }
  const auto policy = policy::Policy::parse(text, "bucket");
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
