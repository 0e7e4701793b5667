// A turn at the database's connections for listings.
#pragma once

#include "common/async/task.h"
#include "common/base/result.h"
#include "gateway/request/context.h"

namespace rondel::request {

// Runs a statement that lists when it is the payer's turn: of those that wait, whose payer has the
// fewest under way goes first, so a crowd of one account's listings delays another's by what is
// under way and no more. `statement` has not begun. kResourceExhausted: no turn before the deadline
// of metadata, and nothing was asked.
template <class Page>
async::Task<Result<Page>> in_listing_turn(Context& context, async::Task<Result<Page>> statement) {
  CO_TRY(const admission::Pool::Hold turn, co_await context.services.admission->listings.take(
                                               context.payer, 1, context.metadata_deadline()));
  co_return co_await std::move(statement);
}

}  // namespace rondel::request
