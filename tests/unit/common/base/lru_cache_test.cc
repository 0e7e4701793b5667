#include "common/base/lru_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace rondel {
namespace {

using Cache = LruCache<std::string, int, TextHash>;
constexpr size_t kOne = Cache::kEntryBytes + 100;

TEST(LruCache, HoldsItsBytesAndNoMore) {
  Cache cache(3 * kOne);
  for (int i = 0; i < 1'000; ++i) {
    cache.put(std::to_string(i), i, 100);
    EXPECT_LE(cache.bytes(), 3 * kOne);
    EXPECT_LE(cache.size(), 3u);
  }
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_EQ(*cache.find(std::string_view("999")), 999);
  EXPECT_EQ(cache.find("0"), nullptr);
  cache.put("large", 1, 2 * kOne - Cache::kEntryBytes);
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(cache.bytes(), 3 * kOne);
  cache.clear();
  EXPECT_EQ(cache.bytes(), 0u);
  EXPECT_EQ(cache.find("999"), nullptr);
}

TEST(LruCache, WhatWasNotLookedForLongestGoesFirst) {
  Cache cache(3 * kOne);
  for (const char* name : {"a", "b", "c"}) cache.put(name, 0, 100);
  EXPECT_NE(cache.find("a"), nullptr);
  cache.put("d", 0, 100);
  EXPECT_EQ(cache.find("b"), nullptr);
  for (const char* name : {"a", "c", "d"}) EXPECT_NE(cache.find(name), nullptr) << name;
}

TEST(LruCache, AnEntryIsReplacedAndErasedWithItsBytes) {
  Cache cache(10 * kOne);
  cache.put("a", 1, 100);
  cache.put("a", 2, 50);
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(cache.bytes(), Cache::kEntryBytes + 50);
  EXPECT_EQ(*cache.find("a"), 2);
  cache.erase("a");
  cache.erase("a");
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(LruCache, WhatIsLargerThanTheWholeIsNotKept) {
  Cache cache(kOne);
  cache.put("a", 1, 100);
  cache.put("b", 2, 101);
  EXPECT_EQ(cache.find("b"), nullptr);
  EXPECT_NE(cache.find("a"), nullptr);
}

}  // namespace
}  // namespace rondel
