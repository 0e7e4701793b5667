// Signatures in header and query, old and new, of requests that nobody signed: never let in.
#include "common/async/event_loop.h"
#include "common/base/dates.h"
#include "common/http/head_parser.h"
#include "gateway/s3/request.h"
#include "gateway/signature/credential_scope.h"
#include "gateway/signature/post_signature.h"
#include "tests/fakes/fixed_identities.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fuzz/input.h"

using namespace rondel;

namespace {

fakes::FixedIdentities& accounts() {
  static fakes::FixedIdentities instance = [] {
    fakes::FixedIdentities made;
    metadata::Credential credential;
    credential.key = {.access_key = "AKIDEXAMPLE",
                      .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                      .account_id = "123456789012",
                      .is_root = true};
    credential.account.id = "123456789012";
    made.add(credential);
    return made;
  }();
  return instance;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static fakes::ManualClock clock(std::chrono::sys_days(std::chrono::year(2024) / 5 / 24) +
                                  std::chrono::hours(13));
  static metadata::IdentityCache identities(accounts(), clock);
  static signature::Authenticator older(identities, {.clock = &clock, .signature_v2 = true});
  static signature::Authenticator plain(identities, {.clock = &clock});
  fuzz::Input input(data, size);
  signature::Authenticator& authenticator = input.choice() % 2 == 1 ? older : plain;
  const std::string_view text = input.rest();
  (void)signature::parse_credential(text);
  (void)signature::parse_authorization(text);
  (void)signature::parse_signed_headers(text);
  (void)parse_http_date(text);
  const size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  const auto head = http::parse_request_head(text.substr(0, end + 4), 200);
  if (!head) return 0;
  const auto query = s3::parse_query(head->query());
  if (!query) return 0;
  const auto identity = async::block_on(
      authenticator.authenticate(*head, query->parameters, deadline_in(std::chrono::seconds(5))));
  fuzz::require(!identity || identity->anonymous());
  signature::FormFields fields;
  for (const auto& [name, value] : head->fields) fields.emplace_back(name, value);
  const auto posted = async::block_on(signature::authenticate_post(
      identities, authenticator.options(), fields, deadline_in(std::chrono::seconds(5))));
  fuzz::require(!posted || posted->identity.anonymous());
  return 0;
}
