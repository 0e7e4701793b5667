// Documents that a loop would be long at are read beside it.
#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "common/async/blocking_pool.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"

namespace rondel::request {

// Up to so many bytes a document takes well under a millisecond.
inline constexpr size_t kBesideBytes = 32 << 10;

// `work()`, an S3Result, about a document of `bytes`: on the loop when it is small, and else on a
// thread of its own, for which it waits. SlowDown: too many wait already.
template <class Work>
auto work_beside(const Services& services, size_t bytes, Work work)
    -> async::Task<std::invoke_result_t<Work>> {
  if (bytes <= kBesideBytes) co_return work();
  auto done = co_await services.documents->run(std::move(work),
                                               deadline_in(services.settings.metadata_timeout));
  if (!done) co_return std::unexpected(s3::from(done.error()));
  co_return *std::move(done);
}

// The same of `read(text)`, a document that a client sent.
template <class Read>
auto read_beside(const Services& services, std::string text, Read read)
    -> async::Task<std::invoke_result_t<Read, const std::string&>> {
  const size_t bytes = text.size();
  auto work = [text = std::move(text), read = std::move(read)] { return read(text); };
  co_return co_await work_beside(services, bytes, std::move(work));
}

}  // namespace rondel::request
