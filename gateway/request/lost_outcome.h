// What became of a commit whose answer was lost, asked by the id of its stream.
#pragma once

#include "gateway/request/context.h"
#include "gateway/request/pending_stream.h"
#include "metadata/store/commit_result.h"

namespace rondel::request {

// The outcome, when the current version of the request's key ends with the stream: ids are never
// used twice, so its commit happened. Asks until then, for Settings::outcome_timeout at most; it
// asks once however short that is, and as long as the database is away it asks nothing.
//
// nullopt says nothing: the commit may yet happen, or its version was written over since. It is
// also the answer for parts of uploads, which are put again without harm, and for no bytes.
async::Task<std::optional<metadata::CommitOutcome>> find_lost_outcome(const Context& context,
                                                                      const PendingStream& stream);

}  // namespace rondel::request
