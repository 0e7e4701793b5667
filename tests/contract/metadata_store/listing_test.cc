// ListingStore: pages of keys, versions and buckets.
#include "tests/contract/metadata_store/metadata_contract.h"

namespace rondel::metadata {
namespace {

class ListingStoreContract : public MetadataContract {};

INSTANTIATE_TEST_SUITE_P(Stores, ListingStoreContract, all_implementations(),
                         name_of_implementation);

TEST_P(ListingStoreContract, ListingFoldsPagesAndResumes) {
  for (const std::string key : {"a", "b/1", "b/2", "b/3", "c", "d/x/1", "d/y", "e"}) put(key, 1);
  auto page = list({.delimiter = "/", .max = 2});
  EXPECT_EQ(keys_of(page), std::vector<std::string>{"a"});
  EXPECT_EQ(page.common_prefixes, std::vector<std::string>{"b/"});
  ASSERT_TRUE(page.truncated);
  EXPECT_EQ(page.next_prefix, "b/");
  page = list({.delimiter = "/", .after_prefix = "b/", .max = 10});
  EXPECT_EQ(keys_of(page), (std::vector<std::string>{"c", "e"}));
  EXPECT_EQ(page.common_prefixes, std::vector<std::string>{"d/"});
  EXPECT_FALSE(page.truncated);
  EXPECT_EQ(keys_of(list({.prefix = "b/", .after_key = "b/1"})),
            (std::vector<std::string>{"b/2", "b/3"}));
  EXPECT_EQ(list({.prefix = "d/", .delimiter = "/"}).common_prefixes,
            std::vector<std::string>{"d/x/"});
  EXPECT_TRUE(list({.prefix = "zzz"}).entries.empty());
  EXPECT_EQ(keys_of(list({.after_key = "c", .max = 1})), std::vector<std::string>{"d/x/1"});
}

TEST_P(ListingStoreContract, VersionsGoOnWithinAKeyAndBehindIt) {
  std::vector<model::VersionId> made;
  for (const uint64_t size : {1, 2, 3}) {
    made.push_back(put("k", size, Versioning::kEnabled).version);
  }
  put("l", 4, Versioning::kEnabled);
  const auto sizes = [](const ListPage& page) {
    std::vector<uint64_t> all;
    for (const ListedVersion& entry : page.entries) all.push_back(entry.object.size);
    return all;
  };
  auto page = list({.max = 2, .versions = true});
  EXPECT_EQ(sizes(page), (std::vector<uint64_t>{3, 2}));
  ASSERT_TRUE(page.truncated);
  EXPECT_EQ(page.next_key, "k");
  EXPECT_EQ(page.next_version, made[1]);
  page = list({.after_key = "k", .max = 2, .versions = true, .after_version = made[1]});
  EXPECT_EQ(sizes(page), (std::vector<uint64_t>{1, 4}));
  EXPECT_FALSE(page.truncated);
  EXPECT_EQ(sizes(list({.after_key = "k", .versions = true})), std::vector<uint64_t>{4});
}

TEST_P(ListingStoreContract, BucketsAreListedByNameWithTheirSettings) {
  const std::string stem = bucket_.name + ".";
  for (const char* name : {"c", "a", "b"}) make_bucket(stem + name);
  run(stores().buckets.set_bucket_setting(
      {.bucket_id = make_bucket(stem + "d").id, .deadline = soon()}, SettingKind::kCors, "doc"));
  const auto names = [&](ListBucketsQuery query) {
    query.owner_account = owner().account.id;
    query.prefix = stem;
    std::string all;
    for (const ListedBucket& bucket : run(stores().listing.list_buckets(query, soon()))) {
      EXPECT_EQ(bucket.region, "us-east-1");
      EXPECT_GT(bucket.created_at, real_clock().now() - 1h);
      all += bucket.name.substr(stem.size());
    }
    return all;
  };
  EXPECT_EQ(names({}), "abcd");
  EXPECT_EQ(names({.after_name = stem + "a", .max = 2}), "bc");
  EXPECT_EQ(names({.region = "us-east-1"}), "abcd");
  EXPECT_EQ(names({.region = "elsewhere"}), "");
}

}  // namespace
}  // namespace rondel::metadata
