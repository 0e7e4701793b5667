#include "gateway/request/lost_outcome.h"

#include "common/async/event_loop.h"
#include "common/model/ids.h"
#include "gateway/request/context.h"
#include "gateway/request/pending_stream.h"
#include "gateway/s3/operation.h"
#include "metadata/store/commit_context.h"
#include "metadata/store/commit_result.h"
#include "metadata/store/object_store.h"

namespace rondel::request {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPauseMin = 100ms;  // Doubled after every answer.
constexpr Duration kPauseMax = 1s;

bool makes_version(s3::Operation operation) {
  return operation != s3::Operation::kUploadPart && operation != s3::Operation::kUploadPartCopy;
}

// The current version with its last extent: that is where a commit puts new bytes.
metadata::ObjectQuery query_for(const Context& context, Deadline deadline) {
  metadata::ObjectQuery query;
  query.bucket = context.bucket->name;
  query.key = context.request.key;
  query.range = {metadata::ExtentRange::Kind::kSuffix, 1, 0};
  query.deadline = deadline;
  return query;
}

std::optional<metadata::CommitOutcome> outcome_of(const metadata::ObjectLookup& found,
                                                  const model::StreamId& stream) {
  if (found.status != metadata::LookupStatus::kFound || found.object.extents.empty() ||
      found.object.extents.back().stream != stream) {
    return std::nullopt;
  }
  metadata::CommitOutcome outcome;
  outcome.version = found.object.version;
  outcome.is_null = found.object.is_null;
  outcome.last_modified = found.object.last_modified;
  outcome.size = found.object.size;
  outcome.etag = found.object.etag;
  outcome.checksum = found.object.checksum;
  return outcome;
}

}  // namespace

async::Task<std::optional<metadata::CommitOutcome>> find_lost_outcome(const Context& context,
                                                                      const PendingStream& stream) {
  const auto id = stream.stream_id();
  if (!id || !makes_version(context.request.operation)) co_return std::nullopt;
  const Services& services = context.services;
  const Deadline end = deadline_in(services.settings.outcome_timeout);
  Duration pause = kPauseMin;
  for (;;) {
    if (services.database.available()) {
      const auto found =
          co_await services.objects.find_object(query_for(context, context.metadata_deadline()));
      if (const auto outcome = found ? outcome_of(*found, *id) : std::nullopt) co_return outcome;
      pause = std::min(2 * pause, kPauseMax);
    }
    const Duration left = end - std::chrono::steady_clock::now();
    if (left <= Duration(0)) co_return std::nullopt;
    co_await async::sleep_for(std::min(left, pause));
  }
}

}  // namespace rondel::request
