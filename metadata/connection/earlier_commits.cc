#include "metadata/connection/earlier_commits.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace rondel::metadata {

void await_earlier_commits(PgConnection& connection, Deadline until) {
  until = std::min(until, deadline_in(std::chrono::seconds(1)));
  const auto own = connection.run("select pg_current_xact_id()::text", {}, until);
  if (!own) return;
  PgParameters below;
  below.add_text(own->text(0, 0));
  for (;;) {
    const auto past = connection.run("select is_past($1)", below, until);
    if (!past || past->boolean(0, 0)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace rondel::metadata
