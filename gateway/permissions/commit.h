// A commit under the settings that it was decided under: when they moved, everything is decided anew and it runs once more.
#pragma once

#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/request/lost_outcome.h"
#include "gateway/request/pending_stream.h"
#include "gateway/request/refusals.h"
#include "gateway/s3/error.h"
#include "metadata/store/commit_result.h"

namespace rondel::permissions {

// The bucket anew; what was allowed, and how bytes are to be encrypted, is decided anew.
request::Answer<void> refresh_bucket(request::Context& context);

// Runs a commit; when the bucket's cached settings turn out old, looks it up again and runs it once more under the new ones.
// `stream`: the bytes that it names, if any; they are kept or given up by how it ends. When its
// answer is lost, the stream tells whether it happened (lost_outcome.h); else the answer is 503.
template <class Commit>
async::Task<s3::S3Result<metadata::CommitOutcome>> commit_with(request::Context& context, Commit commit, request::PendingStream* stream = nullptr);

template <class Commit>
async::Task<s3::S3Result<metadata::CommitOutcome>> commit_with(request::Context& context, Commit commit, request::PendingStream* stream) {
  using Status = metadata::CommitStatus;
  for (bool again = false;; again = true) {
    if (stream != nullptr) stream->commit_begins();
    metadata::CommitResult result = co_await commit();
    if (stream != nullptr && metadata::fate_of(result) == metadata::CommitFate::kNotKnown) {
      if (auto outcome = co_await request::find_lost_outcome(context, *stream)) result = *std::move(outcome);
    }
    if (stream != nullptr) stream->commit_ended(metadata::fate_of(result));
    if (!result) co_return std::unexpected(s3::from(result.error()));
    if (metadata::fate_of(result->status) == metadata::CommitFate::kCommitted) co_return *std::move(result);
    if (result->status != Status::kSettingsChanged || again) {
      if (result->status == Status::kNoSuchBucket) context.services.bucket_cache.forget_bucket(context.bucket->name);
      co_return std::unexpected(request::to_s3(*result, context));
    }
    CO_S3_VOID(co_await refresh_bucket(context));
  }
}

}  // namespace rondel::permissions
