// What every ReleaseQueue answers to a second look at released streams.
#include "tests/contract/metadata_store/cluster_database.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;
using model::StreamId;

class SecondLookContract : public ClusterContract {
 protected:
  StreamId release(Duration age) {
    const auto stream = StreamId::random();
    database_->release(stream, now_ - std::chrono::duration_cast<std::chrono::microseconds>(age));
    return stream;
  }

  CheckedReleases look(Duration grace, size_t max = 1000) {
    return run(stores().releases.check_released(
        now_ - std::chrono::duration_cast<std::chrono::microseconds>(grace), max, token_, soon()));
  }

  std::vector<StreamId> taken(Duration grace = 0s) {
    std::vector<StreamId> out;
    const SystemTime before = now_ - std::chrono::duration_cast<std::chrono::microseconds>(grace);
    for (const auto& row : run(stores().releases.take_released(before, 1000, token_, soon()))) {
      out.push_back(row.stream);
    }
    return out;
  }

  const SystemTime now_ = real_clock().now();
};

TEST_P(SecondLookContract, OnlyWhatWasLookedAtIsHandedOut) {
  const auto first = release(3h), second = release(2h), young = release(1min);
  EXPECT_TRUE(taken().empty());
  EXPECT_EQ(look(1h, 1).checked, 1u);
  EXPECT_EQ(taken(), (std::vector<StreamId>{first}));
  EXPECT_EQ(look(1h).checked, 1u)
      << "the other; what was looked at is not looked at again, and a young one not yet";
  EXPECT_EQ(taken(), (std::vector<StreamId>{first, second}));
  EXPECT_EQ(look(1h).checked, 0u);
  EXPECT_EQ(look(0s).checked, 1u);
  EXPECT_EQ(taken(1h), (std::vector<StreamId>{first, second}))
      << "a grace that became longer counts";
  EXPECT_EQ(taken(), (std::vector<StreamId>{first, second, young}));
}

TEST_P(SecondLookContract, WhatAnythingRefersToIsKeptAndNeverHandedOut) {
  std::vector<StreamId> kept;
  for (const std::string table : {"objects", "versions", "object_extents", "upload_extents"}) {
    database_->refer(kept.emplace_back(release(2h)), table);
  }
  const auto free = release(2h);
  database_->release(kept.front(), now_ - 2h);  // Twice.
  const CheckedReleases looked = look(1h);
  EXPECT_EQ(looked.checked, 1u);
  EXPECT_EQ(looked.referenced, 5u);
  for (const StreamId& stream : kept) {
    EXPECT_NE(looked.examples.find(stream.to_hex()), std::string::npos);
  }
  EXPECT_EQ(taken(), (std::vector<StreamId>{free}));
  const auto depths = run(stores().releases.queue_depths(soon()));
  EXPECT_EQ(depths.released, 1u);
  EXPECT_EQ(depths.referenced, 5u);

  // Given up properly at last, it goes as any other.
  database_->drop_references();
  database_->release(kept.front(), now_ - 2h);
  EXPECT_EQ(look(1h).checked, 1u);
  EXPECT_EQ(taken(), (std::vector<StreamId>{free, kept.front()}));
}

TEST_P(SecondLookContract, WhatIsReferredToAfterARefusalToLookIsNotMarked) {
  const auto stream = release(2h);
  const auto late =
      async::block_on(stores().releases.check_released(now_, 1000, token_ - 1, soon()));
  EXPECT_TRUE(!late || late->checked + late->referenced == 0) << "a former coordinator's look";
  EXPECT_TRUE(taken().empty());
  EXPECT_EQ(look(1h).checked, 1u);
  EXPECT_EQ(taken(), (std::vector<StreamId>{stream}));
}

INSTANTIATE_TEST_SUITE_P(Stores, SecondLookContract, all_implementations(), name_of_implementation);

}  // namespace
}  // namespace rondel::metadata
