// The stores over the test program's database.
#pragma once

#include <memory>
#include <string>

#include "common/async/event_loop.h"
#include "common/crypto/digest.h"
#include "metadata/postgres/postgres_metadata.h"
#include "tests/contract/metadata_store/postgres_server.h"

namespace rondel::metadata {

// One for all tests of the program.
inline const Stores& test_stores() {
  // First, so that it ends last: what OpenSSL keeps for a thread goes with the thread only as long
  // as OpenSSL is there.
  static const std::string openssl = crypto::random_bytes(1);
  static const auto made =
      PostgresMetadata::make({.dsn = postgres_dsn(), .master_key = test_master_key()});
  return made->stores();
}

// Another gateway's.
inline std::unique_ptr<PostgresMetadata> make_other(const std::string& dsn = postgres_dsn()) {
  return PostgresMetadata::make({.dsn = dsn, .master_key = test_master_key()});
}

// The id of a new account; ends the test when there is one of that name.
inline std::string make_account(const Stores& stores, const std::string& name) {
  return async::block_on(stores.identities.create_account({.name = name},
                                                          deadline_in(std::chrono::seconds(60))))
      .value()
      .account.id;
}

}  // namespace rondel::metadata
