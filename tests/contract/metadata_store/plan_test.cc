// Prepared plans of the request path: each look-up is a seek, on tables of any age.
#include <gtest/gtest.h>

#include "metadata/postgres/postgres_store.h"
#include "tests/contract/metadata_store/postgres_server.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

std::string plan_of_find(PgConnection& connection) {
  const Deadline deadline = deadline_in(60s);
  EXPECT_TRUE(connection.script("prepare find_current as " + find_current_sql(), deadline));
  const auto lines = connection.run(
      "explain (costs off) execute find_current('{plans}', '{\"\\\\x6b\"}', '{0}', '{0}', '{0}')",
      {}, deadline);
  EXPECT_TRUE(lines) << lines.error().message;
  std::string plan;
  for (size_t i = 0; lines && i < lines->rows(); ++i) plan += lines->text(i, 0) + "\n";
  return plan;
}

TEST(Plans, FindingAKeySeeksItOnTablesThatWereNeverAnalysed) {
  auto connection = PgConnection::open(postgres_dsn(), deadline_in(60s)).value();
  const Deadline deadline = deadline_in(60s);
  // Rows enough that a scan of the bucket would hurt, and a plan made before anybody has counted
  // them.
  ASSERT_TRUE(
      connection->script("begin; insert into objects (bucket_id, key, version, is_null, "
                         "delete_marker, size, etag, owner_account)"
                         " select 4711, convert_to('key-' || n, 'UTF8'), "
                         "'\\x00000000000000000000000000000000', true, false, 0, '', ''"
                         " from generate_series(1, 20000) n",
                         deadline));
  const std::string plan = plan_of_find(*connection);
  EXPECT_EQ(plan.find("Join Filter"), std::string::npos) << plan;
  EXPECT_NE(plan.find("(key = q.key)"), std::string::npos) << plan;
  ASSERT_TRUE(connection->script("rollback", deadline));
}

}  // namespace
}  // namespace rondel::metadata
