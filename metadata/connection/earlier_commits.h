// What is taken from somebody holds from its answer on. Internal.
#pragma once

#include "common/base/clock.h"
#include "metadata/connection/pg_connection.h"

namespace rondel::metadata {

// Waits until what wrote before is over: what then still commits has seen the change that this
// connection committed last. For a second at most: what has not come to its end by then asks once
// more before it commits (confirm_credentials). Blocks; a worker's thread only.
void await_earlier_commits(PgConnection& connection, Deadline until);

}  // namespace rondel::metadata
