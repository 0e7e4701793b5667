#include "metadata/connection/pg_session.h"

namespace rondel::metadata {

using namespace std::chrono_literals;

PgConnection* PgSession::open() {
  // One that slept since the server was started anew would fail what is sent on it.
  if (connection_ && connection_->ended_while_idle()) {
    close();
    counts_.lost.fetch_add(1);
  }
  if (connection_ || std::chrono::steady_clock::now() < retry_at_) return connection_.get();
  auto opened = PgConnection::open(dsn_, deadline_in(3s), patience_);
  if (!opened) {
    retry_at_ = deadline_in(200ms);
    refused_ = ": " + opened.error().message;
    availability_.failed();
    return nullptr;
  }
  availability_.answered();
  connection_ = std::move(*opened);
  counts_.connected.fetch_add(1);
  return connection_.get();
}

bool PgSession::drop_if_broken() {
  if (!connection_ || !connection_->broken()) return false;
  close();
  counts_.lost.fetch_add(1);
  return true;
}

void PgSession::close() {
  if (!connection_) return;
  connection_.reset();
  counts_.connected.fetch_sub(1);
}

}  // namespace rondel::metadata
