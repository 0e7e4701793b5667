// What an ExchangeSession knows of its requests; for the files of the session alone.
#pragma once

#include <deque>

#include "common/base/mutex.h"
#include "storage-node/service/exchange_session.h"

namespace rondel::node {

inline const Error kMalformed{ErrorCode::kInvalidArgument, "the frame's meta is malformed"};
inline const Error kNoRoom{ErrorCode::kResourceExhausted, "the node has no memory for more"};
inline const Error kNoDisk{ErrorCode::kUnavailable, "the disk is not in this node"};

// Frames of one large put, taken in order; when the disk's queue is full the first waits and the
// others behind it.
struct ExchangeSession::Upload {
  uint64_t request = 0;
  engine::Engine* engine = nullptr;
  Mutex mutex;
  std::deque<transfer::Frame> waiting GUARDED_BY(mutex);
  bool advancing GUARDED_BY(mutex) = false;
  bool dropped GUARDED_BY(mutex) = false;
  bool background = false;
  Held held;

  Lane lane() const { return {engine, background}; }

  std::unique_ptr<engine::LargePut> put;
};

struct ExchangeSession::Download {
  uint64_t request = 0;
  engine::Engine* engine = nullptr;
  model::BlobId blob;
  uint64_t next = 0;
  uint64_t end = 0;
  Mutex mutex;
  uint64_t credit GUARDED_BY(mutex) = transfer::kWindowBytes;
  bool reading GUARDED_BY(mutex) = false;
  bool background = false;
  Held held;

  Lane lane() const { return {engine, background}; }

  std::atomic<bool> dropped{false};
  uint64_t turn = 0;  // Among the parked, guarded by the session's mutex.
};

}  // namespace rondel::node
