// A commit under what it was decided under: when settings moved, something was taken from a
// credential, or a version that decided says something else, everything is decided anew and it runs
// once more.
#pragma once

#include <algorithm>
#include <chrono>

#include "common/async/event_loop.h"
#include "gateway/permissions/admission.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/lost_outcome.h"
#include "gateway/request/pending_stream.h"
#include "gateway/s3/error.h"
#include "metadata/store/bucket_store.h"
#include "metadata/store/commit_result.h"

namespace rondel::permissions {

// How often a commit is decided anew. Settings of one bucket may be changed by many at once, and of
// those one goes through at a time; what is taken from one credential is seen by commits of all.
// So it goes on for a while, with rests, and at most until the deadline of metadata: 409
// OperationAborted then.
class Attempts {
 public:
  explicit Attempts(const request::Context& context) : until_(context.metadata_deadline()) {}

  // Whether the one that just ended was the last.
  bool end() { return ++ended_ == kMax || std::chrono::steady_clock::now() >= until_; }

  // Before the next one.
  async::Task<void> rest() const {
    if (ended_ <= kWithoutRest) co_return;
    const int doublings = std::min(ended_ - kWithoutRest - 1, 5);
    co_await async::sleep_for(std::chrono::milliseconds(1 << doublings));
  }

 private:
  static constexpr int kMax = 24;
  static constexpr int kWithoutRest = 3;

  const Deadline until_;
  int ended_ = 0;
};

// What commit_with does when there is nothing else to decide.
struct NothingElse {
  request::Answer<void> operator()() const { co_return s3::S3Result<void>{}; }
};

// Which of what was decided is old; nullopt: neither, it is another outcome.
inline std::optional<Old> old_of(metadata::CommitStatus status) {
  if (status == metadata::CommitStatus::kSettingsChanged) return Old::kBucket;
  if (status == metadata::CommitStatus::kCredentialChanged) return Old::kCredential;
  if (status == metadata::CommitStatus::kAccessChanged) return Old::kObject;
  return std::nullopt;
}

inline std::optional<Old> old_of(metadata::BucketStatus status) {
  if (status == metadata::BucketStatus::kSettingsChanged) return Old::kBucket;
  if (status == metadata::BucketStatus::kCredentialChanged) return Old::kCredential;
  return std::nullopt;
}

// admit_again() for a commit: kNoSuchBucket when another bucket has the name now.
request::Answer<void> admit_commit_again(request::Context& context, Old old);

// Runs a commit; when what it was decided under turns out old, admits the request again, runs
// `decide` (whatever else of the request rests on its bucket or on a version), and runs the commit
// once more under what holds now. `stream`: the bytes that it names, if any; they are kept or given
// up by how it ends. When its answer is lost, the stream tells whether it happened
// (lost_outcome.h); else the answer is 503.
template <class Commit, class Decide = NothingElse>
async::Task<s3::S3Result<metadata::CommitOutcome>> commit_with(
    request::Context& context, Commit commit, request::PendingStream* stream = nullptr,
    Decide decide = {}) {
  using Status = metadata::CommitStatus;
  Attempts attempts(context);
  for (;;) {
    if (stream != nullptr) stream->commit_begins();
    metadata::CommitResult result = co_await commit();
    if (stream != nullptr && metadata::fate_of(result) == metadata::CommitFate::kNotKnown) {
      if (auto outcome = co_await request::find_lost_outcome(context, *stream)) {
        result = *std::move(outcome);
      }
    }
    if (stream != nullptr) stream->commit_ended(metadata::fate_of(result));
    if (!result) co_return std::unexpected(s3::from(result.error()));
    if (metadata::fate_of(result->status) == metadata::CommitFate::kCommitted) {
      co_return *std::move(result);
    }
    const auto old = old_of(result->status);
    if (!old || attempts.end()) {
      if (result->status == Status::kNoSuchBucket) {
        context.services.bucket_cache.forget_bucket(context.bucket->name);
      }
      co_return std::unexpected(request::to_s3(*result, context));
    }
    co_await attempts.rest();
    CO_S3_VOID(co_await admit_commit_again(context, *old));
    CO_S3_VOID(co_await decide());
  }
}

}  // namespace rondel::permissions
