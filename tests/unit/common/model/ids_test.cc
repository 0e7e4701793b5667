// Ids that are drawn at random.
#include "common/model/ids.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

namespace rondel::model {
namespace {

// More than are drawn from the kernel at once, of two sizes in turn, by many threads.
TEST(RandomIds, AreNoOthersOnAnyThread) {
  constexpr size_t kThreads = 4, kEach = 2000;
  std::vector<std::vector<std::string>> drawn(kThreads);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : drawn) {
      threads.emplace_back([&mine] {
        for (size_t i = 0; i < kEach; ++i) {
          mine.push_back(StreamId::random().to_hex());
          mine.push_back(UploadId::random().to_hex());
        }
      });
    }
  }
  std::set<std::string> streams, all;
  for (const auto& mine : drawn) {
    for (const std::string& id : mine) {
      all.insert(id);
      streams.insert(id.substr(0, 24));  // No two share what is as long as a stream's id.
    }
  }
  EXPECT_EQ(all.size(), 2 * kThreads * kEach);
  EXPECT_EQ(streams.size(), all.size());
}

}  // namespace
}  // namespace rondel::model
