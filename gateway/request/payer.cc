#include "gateway/request/payer.h"

#include <string_view>

#include "gateway/admission/gate.h"

namespace rondel::request {
namespace {

constexpr auto kPatience = std::chrono::seconds(1);

// Null: as it is.
admission::PartyRef next_payer(const Context& context) {
  if (context.ticket == nullptr) return nullptr;
  std::string_view account = context.access.caller.account_id;
  if (context.access.caller.anonymous) {
    if (context.access.undecided || !context.bucket) return nullptr;
    account = context.bucket->owner_account;
  }

  if (context.payer && context.payer->kind() == admission::Party::Kind::kAccount &&
      context.payer->id() == account) {
    return nullptr;
  }
  return context.services.admission->parties.account(account);
}

s3::Error share_is_used_up() {
  return s3::retry_later(s3::ErrorCode::kSlowDown, "the account's share is used up");
}

}  // namespace

bool try_charge(Context& context) {
  admission::PartyRef party = next_payer(context);
  if (party == nullptr) return true;
  if (!context.ticket->try_move_to(party)) return false;
  context.payer = std::move(party);
  return true;
}

s3::S3Result<void> charge(Context& context) {
  if (try_charge(context)) return {};
  context.services.admission->requests.count_refusal(next_payer(context));
  return std::unexpected(share_is_used_up());
}

async::Task<s3::S3Result<void>> charge_later(Context& context) {
  admission::PartyRef party = next_payer(context);
  if (party == nullptr) co_return s3::S3Result<void>{};
  const auto taken = co_await context.ticket->wait_as(party, deadline_in(kPatience));
  if (!taken) co_return std::unexpected(share_is_used_up());
  context.payer = std::move(party);
  co_return s3::S3Result<void>{};
}

}  // namespace rondel::request
