#include "bench/options.h"

#include <gtest/gtest.h>

#include <set>

#include "bench/plan.h"

namespace rondel::bench {
namespace {

Result<Options> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "rondel-bench");
  words.insert(words.end(), {"--no-sign", "--endpoint", "http://127.0.0.1:9000"});
  return parse_options(static_cast<int>(words.size()), words.data());
}

TEST(Options, Sizes) {
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("4KiB"), 4096u);
  EXPECT_EQ(parse_size("64MiB"), 64u << 20);
  EXPECT_EQ(parse_size("5GiB"), 5ull << 30);
  for (const char* bad :
       {"", "KiB", "-1", "1.5MiB", "4 KiB", "6GiB", "99999999999999999999", "4kb"}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
  }
}

TEST(Options, WhatIsGivenIsKept) {
  const auto options =
      parse({"mixed", "--mix", "get=3,put=1", "--connections", "8", "--threads", "2", "--size",
             "1KiB,2KiB", "--pids", "a=1,2", "--header", "x-amz-tagging: a=b"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->mix, (std::vector<std::pair<Operation, unsigned>>{{Operation::kGet, 3},
                                                                       {Operation::kPut, 1}}));
  EXPECT_EQ(options->sizes, (std::vector<uint64_t>{1024, 2048}));
  EXPECT_EQ(options->headers,
            (std::vector<std::pair<std::string, std::string>>{{"x-amz-tagging", "a=b"}}));
  ASSERT_EQ(options->processes.size(), 1u);
  EXPECT_EQ(options->processes[0].pids, (std::vector<int>{1, 2}));
}

TEST(Options, BadOnesAreRefused) {
  const std::vector<std::vector<const char*>> all{{"patch"},
                                                  {"mixed"},
                                                  {"get", "--mix", "get=1"},
                                                  {"mixed", "--mix", "get=0"},
                                                  {"mixed", "--mix", "get"},
                                                  {"get", "--connections", "0"},
                                                  {"get", "--connections", "2", "--threads", "3"},
                                                  {"get", "--rate", "-1"},
                                                  {"get", "--size", "x"},
                                                  {"get", "--pids", "a=0"},
                                                  {"get", "--pids", "7"},
                                                  {"put", "--header", "X-Amz-Acl: private"},
                                                  {"put", "--header", "x-amz-acl"},
                                                  {"put", "--checksum"},
                                                  {"get", "--bucket", ""},
                                                  {"get", "--keys", "2", "--folders", "3"},
                                                  {"get", "--unknown"}};
  for (const auto& words : all) {
    const auto options = parse(words);
    ASSERT_FALSE(options) << words.back();
    EXPECT_EQ(options.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(Plan, PreloadPutsEveryKeyOnce) {
  Options options;
  options.keys = 10;
  options.sizes = {5};
  std::set<std::string> keys;
  for (unsigned worker = 0; worker < 3; ++worker) {
    PreloadPlan plan(options, worker, 3);
    while (const auto request = plan.next()) EXPECT_TRUE(keys.insert(request->key).second);
  }
  EXPECT_EQ(keys.size(), 10u);
}

TEST(Plan, DeleteAloneTakesEveryKeyOnceAndEnds) {
  Options options;
  options.keys = 7;
  options.mix = {{Operation::kDelete, 1}};
  std::set<std::string> keys;
  for (unsigned worker = 0; worker < 2; ++worker) {
    LoadPlan plan(options, worker, 2);
    while (const auto request = plan.next()) EXPECT_TRUE(keys.insert(request->key).second);
  }
  EXPECT_EQ(keys.size(), 7u);
}

TEST(Plan, AMixDeletesWhatItHasPutAndReadsTheRest) {
  Options options;
  options.keys = 5;
  options.mix = {{Operation::kPut, 3}, {Operation::kDelete, 1}, {Operation::kGet, 1}};
  LoadPlan plan(options, 0, 1);
  std::set<std::string> put;
  int deleted = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto request = plan.next();
    ASSERT_TRUE(request);
    if (request->operation == Operation::kPut) EXPECT_TRUE(put.insert(request->key).second);
    if (request->operation == Operation::kDelete) {
      ++deleted;
      EXPECT_EQ(put.erase(request->key), 1u);
    }
    if (request->operation == Operation::kGet) {
      EXPECT_EQ(request->key.size(), options.prefix.size() + 12);
    }
  }
  EXPECT_GT(deleted, 1000);
}

TEST(Plan, FoldersKeepTheOrderOfNumbers) {
  Options options;
  options.prefix = "";
  options.keys = 10;
  options.folders = 3;
  EXPECT_EQ(key_of(options, 0), "000000/000000000000");
  EXPECT_EQ(key_of(options, 9), "000002/000000000009");
  for (uint64_t number = 1; number < options.keys; ++number) {
    EXPECT_LT(key_of(options, number - 1), key_of(options, number));
  }
}

}  // namespace
}  // namespace rondel::bench
