// Log lines as a reader of the file sees them.
#include "common/log/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

namespace rondel::log {
namespace {

class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "rondel-log-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ + "/log";
  }

  ~LogTest() override {
    EXPECT_TRUE(init({}));
    std::filesystem::remove_all(folder_);
  }

  void start(Level level = Level::kInfo, std::map<std::string, Level> modules = {}) {
    ASSERT_TRUE(init({path_, level, std::move(modules)}));
  }

  static std::vector<std::string> lines_of(const std::string& path) {
    flush();
    std::ifstream in(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  std::vector<std::string> lines() { return lines_of(path_); }

  // The one line, without its time.
  std::string only() {
    const auto all = lines();
    EXPECT_EQ(all.size(), 1u);
    const std::string line = all.empty() ? "" : all.front();
    EXPECT_TRUE(line.starts_with("{\"time\":\"20") && line.size() > 38 &&
                line.substr(35, 2) == "Z\"")
        << line;
    return line.substr(std::min<size_t>(line.size(), 37));
  }

  std::string folder_;
  std::string path_;
};

TEST_F(LogTest, OneObjectALineWithTypedFields) {
  start();
  info("blobs", "disk avoided",
       {{"disk", "a"},
        {"failures", 3},
        {"size", uint64_t{18446744073709551615u}},
        {"ratio", 0.5},
        {"open", true},
        {"bad", 0.0 / 0.0}});
  EXPECT_EQ(only(),
            ",\"level\":\"info\",\"module\":\"blobs\",\"message\":\"disk "
            "avoided\",\"disk\":\"a\",\"failures\":3,\"size\":18446744073709551615,\"ratio\":0.5,"
            "\"open\":true,\"bad\":null}");
}

TEST_F(LogTest, WhateverIsLoggedStaysOneValidLine) {
  start();
  info("m", std::string("a\"\\\n\r\t\x01\x7f\xC3\xA9\xFF\xC3z\0b", 15),
       {{"k\"ey", "\n{\"level\":\"error\"}"}});
  EXPECT_EQ(only(),
            ",\"level\":\"info\",\"module\":\"m\",\"message\":"
            "\"a\\\"\\\\\\u000a\\u000d\\u0009\\u0001\\u007f\xC3\xA9\\ufffd\\ufffdz\\u0000b\","
            "\"k\\\"ey\":\"\\u000a{\\\"level\\\":\\\"error\\\"}\"}");
}

TEST_F(LogTest, SecretsAreNeverWritten) {
  start();
  error("m", "x",
        {{"secret_key", "s3cr3t"},
         {"password", "s3cr3t"},
         {"authorization", "s3cr3t"},
         {"x_signature", "s3cr3t"},
         {"master_key_id", "s3cr3t"},
         {"session_token", "s3cr3t"},
         {"access_key", "shown"}});
  const std::string line = only();
  EXPECT_EQ(line.find("s3cr3t"), std::string::npos) << line;
  EXPECT_NE(line.find("\"access_key\":\"shown\""), std::string::npos);
}

TEST_F(LogTest, LevelsHoldPerModule) {
  start(Level::kWarn, {{"loud", Level::kDebug}, {"quiet", Level::kOff}});
  debug("loud", "1");
  info("other", "2");
  warn("other", "3");
  error("quiet", "4");
  EXPECT_EQ(lines().size(), 2u);
  EXPECT_TRUE(enabled("loud", Level::kDebug));
  EXPECT_FALSE(enabled("other", Level::kInfo));
  EXPECT_FALSE(enabled("quiet", Level::kError));
}

TEST_F(LogTest, ARequestGetsOneLine) {
  start();
  request({.request_id = "R",
           .operation = "GetObject",
           .method = "GET",
           .path = "/b/k",
           .peer = "1.2.3.4",
           .bucket = "b",
           .key = "k\n",
           .status = 404,
           .error_code = "NoSuchKey",
           .bytes_in = 1,
           .bytes_out = 2,
           .seconds = 0.25},
          {{"auth", 0.000012}, {"lookup", 1.5}});
  EXPECT_EQ(only(),
            ",\"level\":\"info\",\"module\":\"request\",\"request_id\":\"R\",\"operation\":"
            "\"GetObject\",\"method\":\"GET\",\"path\":\"/b/"
            "k\",\"peer\":\"1.2.3.4\",\"bucket\":\"b\",\"key\":\"k\\u000a\",\"status\":404,"
            "\"error\":\"NoSuchKey\",\"bytes_in\":1,\"bytes_out\":2,\"seconds\":0.250000,"
            "\"stages\":{\"auth\":0.000012,\"lookup\":1.500000}}");
}

TEST_F(LogTest, ARequestSaysWhoFromWhereAndWhyNot) {
  start();
  request({.request_id = "R",
           .peer = "1.2.3.4",
           .tls = "1.3",
           .cipher = "TLS_AES_128_GCM_SHA256",
           .authentication = "v4-query",
           .access_key_id = "AKIA",
           .account = "123",
           .version_id = "v",
           .user_agent = "curl/8",
           .status = 403,
           .error_code = "AccessDenied",
           .reason = "the bucket's policy denies it"});
  const std::string line = only();
  for (
      const char* field :
      {R"("tls":"1.3","cipher":"TLS_AES_128_GCM_SHA256","authentication":"v4-query","access_key_id":"AKIA","account":"123")",
       R"("version_id":"v","user_agent":"curl/8")",
       R"("error":"AccessDenied","reason":"the bucket's policy denies it")"}) {
    EXPECT_NE(line.find(field), std::string::npos) << field << "\n" << line;
  }
}

// Whatever strangers choose: letters, what becomes six bytes each, halves of characters.
TEST_F(LogTest, ARowHasABound) {
  start();
  for (const std::string& piece :
       {std::string("x"), std::string("\x01"), std::string("\""), std::string("\xff"),
        std::string("\xe2\x82\xac"), std::string("\xc2\x9b"), std::string("\xf0\x9f\x98\x80")}) {
    std::string much;
    while (much.size() < 100'000) much += piece;
    request({.request_id = much,
             .operation = much,
             .method = much,
             .path = much,
             .peer = much,
             .tls = much,
             .cipher = much,
             .authentication = much,
             .access_key_id = much,
             .account = much,
             .bucket = much,
             .key = much,
             .version_id = much,
             .user_agent = much,
             .status = 500,
             .error_code = much,
             .reason = much,
             .bytes_in = UINT64_MAX,
             .bytes_out = UINT64_MAX,
             .seconds = 1e9},
            {{"authenticate", 1e9}, {"authorize", 1e9}, {"look_up", 1e9}});
    error("module", much,
          {{"a", much},
           {"b", much},
           {"c", much},
           {"d", much},
           {"e", much},
           {"f", much},
           {"g", UINT64_MAX}});
  }
  flush();
  const auto all = lines();
  ASSERT_EQ(all.size(), 14u);
  for (const std::string& line : all) {
    EXPECT_LT(line.size(), kRowBytesMax);
    EXPECT_NE(line.find(" more bytes]\""), std::string::npos) << line.substr(0, 200);
    EXPECT_TRUE(line.ends_with("}"));
    for (const char c : line) EXPECT_GE(static_cast<uint8_t>(c), 0x20);
    EXPECT_EQ(line.find("\xc2\x9b"), std::string::npos);
  }
}

TEST_F(LogTest, ATextOfItsBoundIsWholeAndALongerOneSaysSo) {
  start();
  const auto agent = [&](size_t size) {
    request({.request_id = "R", .user_agent = std::string(size, 'u'), .status = 500});
    flush();
    const std::string line = lines().back();
    const size_t begin = line.find("\"user_agent\":\"") + 14;
    return line.substr(begin, line.find('"', begin) - begin);
  };
  EXPECT_EQ(agent(kUserAgentBytesMax), std::string(kUserAgentBytesMax, 'u'));
  EXPECT_EQ(agent(kUserAgentBytesMax + 1),
            std::string(kUserAgentBytesMax, 'u') + "...[1 more bytes]");
  EXPECT_EQ(agent(8000), std::string(kUserAgentBytesMax, 'u') + "...[7744 more bytes]");
}

TEST_F(LogTest, LinesOfRequestsWaitForOthersOnStandardErrorToo) {
  ASSERT_TRUE(init({}));
  const int saved = dup(STDERR_FILENO);
  const int file = open(path_.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  ASSERT_EQ(dup2(file, STDERR_FILENO), STDERR_FILENO);
  request({.request_id = "1", .status = 200});
  const auto at_first = std::filesystem::file_size(path_);
  request({.request_id = "2", .status = 500});
  const auto after_failure = std::filesystem::file_size(path_);
  request({.request_id = "3", .status = 200});
  info("log", "told at once");
  const auto after_event = std::filesystem::file_size(path_);
  for (int i = 0; i < 1000; ++i) request({.request_id = "4", .status = 200});
  const auto after_many = std::filesystem::file_size(path_);
  const auto all = lines();
  dup2(saved, STDERR_FILENO);
  close(saved);
  close(file);
  EXPECT_EQ(at_first, 0u);
  EXPECT_GT(after_failure, 0u);
  EXPECT_GT(after_event, after_failure);
  EXPECT_GT(after_many, after_event);
  ASSERT_EQ(all.size(), 1004u);
  EXPECT_NE(all[0].find("\"request_id\":\"1\""), std::string::npos) << all[0];
  EXPECT_NE(all[3].find("told at once"), std::string::npos) << all[3];
}

TEST_F(LogTest, RotationGoesOnInANewFile) {
  start();
  info("m", "before");
  flush();
  std::filesystem::rename(path_, folder_ + "/old");
  ASSERT_TRUE(reopen());
  info("m", "after");
  EXPECT_EQ(lines().size(), 1u);
  EXPECT_EQ(lines_of(folder_ + "/old").size(), 1u);
}

TEST_F(LogTest, ThreadsDoNotMixTheirLines) {
  start();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 500; ++i) info("m", std::string(200, 'x'));
    });
  }
  for (auto& thread : threads) thread.join();
  const auto all = lines();
  EXPECT_EQ(all.size(), 2000u);
  for (const std::string& line : all) {
    ASSERT_TRUE(line.starts_with("{\"time\"") && line.ends_with("\"}"));
  }
}

TEST_F(LogTest, BadOptionsAreRefused) {
  std::ofstream(folder_ + "/file") << "x";
  const auto impossible = init({.file = folder_ + "/file/log"});
  ASSERT_FALSE(impossible);
  EXPECT_EQ(impossible.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(parse_level("warn"), Level::kWarn);
  EXPECT_EQ(parse_level("off"), Level::kOff);
  EXPECT_EQ(parse_level("WARN").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(parse_modules("a=debug,b=off")->size(), 2u);
  EXPECT_TRUE(parse_modules("")->empty());
  for (const char* bad : {"a", "=debug", "a=", "a=loud", "a=debug,,b=off"}) {
    EXPECT_FALSE(parse_modules(bad)) << bad;
  }
}

}  // namespace
}  // namespace rondel::log
