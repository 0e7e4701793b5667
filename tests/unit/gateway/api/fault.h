// What a test makes the calls of a store fail with.
#pragma once

#include <optional>
#include <utility>

#include "common/base/result.h"
#include "metadata/store/commit_result.h"

namespace rondel::api {

struct Fault {
  std::optional<Error> error;
  int met = 0;  // Calls that failed with it.

  Result<void> check() {
    if (!error) return {};
    ++met;
    return std::unexpected(*error);
  }

  // Of a commit: a lost answer leaves it open whether it happened.
  std::optional<metadata::CommitFailure> check_commit() {
    if (check()) return std::nullopt;
    return error->code == ErrorCode::kOutcomeUnknown
               ? metadata::CommitFailure::not_known(*error)
               : metadata::CommitFailure::did_not_happen(*error);
  }
};

}  // namespace rondel::api
