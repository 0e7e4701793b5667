// Whose disk it is: the superblock against what the node was told.
#include <gtest/gtest.h>

#include "storage-node/engine/superblock.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::engine {
namespace {

class IdentityTest : public ::testing::Test {
 protected:
  IdentityTest() { EXPECT_TRUE(fs_.make_directory("/disk")); }

  Result<std::unique_ptr<Engine>> open_in(const model::ClusterId& cluster) {
    EngineOptions options = small_options(folder_.path() + "/index");
    options.cluster = cluster;
    return Engine::open(fs_, options);
  }

  model::ClusterId stored() { return read_superblock(fs_, "/disk").value().cluster; }

  TemporaryFolder folder_;
  fs::SimulatedFileSystem fs_{1};
  const model::ClusterId mine_ = model::ClusterId::random();
};

TEST_F(IdentityTest, ADiskJoinsTheClusterOfItsNodeAndRefusesOthers) {
  ASSERT_TRUE(open_in({}));
  EXPECT_TRUE(stored().is_zero());
  ASSERT_TRUE(open_in(mine_));
  EXPECT_EQ(stored(), mine_);
  EXPECT_EQ(open_in(model::ClusterId::random()).error().code, ErrorCode::kPrecondition);
  EXPECT_EQ(stored(), mine_);
  ASSERT_TRUE(open_in({}));
  EXPECT_EQ(stored(), mine_);
}

TEST_F(IdentityTest, ANewDiskOfAJoinedNodeBelongsToItsClusterAtOnce) {
  ASSERT_TRUE(open_in(mine_));
  EXPECT_EQ(stored(), mine_);
}

}  // namespace
}  // namespace rondel::engine
