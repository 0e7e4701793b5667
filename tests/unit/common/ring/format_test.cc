// docs/formats/ring.md.
#include <algorithm>

#include "common/ring/ring.h"
#include "tests/unit/format_vectors.h"

namespace rondel::ring {
namespace {

TEST(RingFormatTest, AStoredRingHasItsGoldenBytes) {
  const std::string bytes = vectors::golden("ring");
  const auto ring = Ring::parse(as_bytes(bytes));
  ASSERT_TRUE(ring) << ring.error().message;
  EXPECT_EQ(ring->serialize(), bytes);
  EXPECT_EQ(ring->epoch(), 7u);
  EXPECT_EQ(ring->power(), 1);
  EXPECT_EQ(ring->replicas(), 3);
  EXPECT_EQ(ring->options().seed, 99u);
  EXPECT_EQ(ring->options().failure_domain, FailureDomain::kZone);
  ASSERT_EQ(ring->disks().size(), 3u);
  EXPECT_EQ(ring->disks()[2].id.to_hex(), "52525252525252525252525252525252");
  EXPECT_EQ(ring->disks()[2].node.to_hex(), "62626262626262626262626262626262");
  EXPECT_EQ(ring->disks()[2].capacity_bytes, 1000u);
  EXPECT_EQ(ring->disks()[2].host, "host-2");
  EXPECT_EQ(ring->disks()[2].zone, "zone-2");
  EXPECT_TRUE(std::ranges::equal(ring->owners(0), std::vector<DiskIndex>{0, 1, 2}));
  EXPECT_TRUE(std::ranges::equal(ring->owners(1), std::vector<DiskIndex>{2, 0, 1}));
}

}  // namespace
}  // namespace rondel::ring
