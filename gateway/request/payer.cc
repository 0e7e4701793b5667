#include "gateway/request/payer.h"

#include <string_view>

#include "gateway/admission/gate.h"

namespace rondel::request {

s3::S3Result<void> charge(Context& context) {
  if (context.ticket == nullptr) return {};
  std::string_view account = context.access.caller.account_id;
  if (context.access.caller.anonymous) {
    if (context.access.undecided || !context.bucket) return {};
    account = context.bucket->owner_account;
  }

  if (context.payer && context.payer->kind() == admission::Party::Kind::kAccount &&
      context.payer->id() == account) {
    return {};
  }
  const admission::PartyRef party = context.services.admission->parties.account(account);
  if (!context.ticket->move_to(party)) {
    return std::unexpected(
        s3::retry_later(s3::ErrorCode::kSlowDown, "the account's share is used up"));
  }
  context.payer = party;
  return {};
}

}  // namespace rondel::request
