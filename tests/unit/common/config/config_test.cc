// Settings: which source wins, what is refused and in what words.
#include "common/config/config.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace rondel::config {
namespace {

using namespace std::chrono_literals;

const Schema& schema() {
  static const Schema made({
      {.name = "gateway.listen",
       .type = Type::kString,
       .default_text = "0.0.0.0",
       .description = "address"},
      {.name = "gateway.threads",
       .type = Type::kInteger,
       .default_text = "2",
       .description = "threads",
       .min = 1,
       .max = 64},
      {.name = "gateway.tls", .type = Type::kBool, .default_text = "false", .description = "tls"},
      {.name = "gateway.buffer",
       .type = Type::kSize,
       .default_text = "8MiB",
       .description = "bytes",
       .min = 4096},
      {.name = "gateway.wait",
       .type = Type::kDuration,
       .default_text = "10s",
       .description = "time",
       .max = 3'600'000},
      {.name = "gateway.peers",
       .type = Type::kStringList,
       .default_text = "",
       .description = "peers"},
      {.name = "log.level",
       .type = Type::kString,
       .default_text = "info",
       .description = "level",
       .one_of = {"info", "debug"}},
      {.name = "node.disks",
       .type = Type::kMapList,
       .default_text = "",
       .description = "disks",
       .members = {{.name = "path", .type = Type::kString, .required = true},
                   {.name = "capacity", .type = Type::kSize, .default_text = "1GiB"}}},
  });
  return made;
}

class ConfigTest : public ::testing::Test {
 protected:
  ConfigTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "rondel-config-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }

  ~ConfigTest() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& text) {
    std::ofstream(folder_ + "/rondel.yaml") << text;
    return folder_ + "/rondel.yaml";
  }

  static Result<Settings> set(const std::string& assignment) {
    return Settings::load(schema(), {.assignments = {assignment}});
  }

  static void expect_refused(const Result<Settings>& loaded,
                             const std::vector<std::string>& words) {
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, ErrorCode::kInvalidArgument);
    for (const std::string& word : words) {
      EXPECT_NE(loaded.error().message.find(word), std::string::npos)
          << loaded.error().message << " lacks " << word;
    }
    EXPECT_EQ(loaded.error().message.find('\n'), std::string::npos) << "one line";
  }

  std::string folder_;
};

TEST_F(ConfigTest, DefaultsHoldUntilASourceSpeaks) {
  const auto settings = Settings::load(schema(), {});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->text("gateway.listen"), "0.0.0.0");
  EXPECT_EQ(settings->integer("gateway.threads"), 2);
  EXPECT_FALSE(settings->flag("gateway.tls"));
  EXPECT_EQ(settings->size("gateway.buffer"), 8u << 20);
  EXPECT_EQ(settings->duration("gateway.wait"), 10s);
  EXPECT_TRUE(settings->list("gateway.peers").empty());
  EXPECT_TRUE(settings->maps("node.disks").empty());
  EXPECT_FALSE(settings->is_set("gateway.listen"));
}

TEST_F(ConfigTest, EnvironmentBeatsFileAndSetBeatsBoth) {
  const std::string path = file("gateway:\n  threads: 3\n  wait: 5s\n  tls: true\n");
  const auto settings = Settings::load(schema(), {.file = path,
                                                  .environment = {{"RONDEL_GATEWAY_THREADS", "4"},
                                                                  {"RONDEL_GATEWAY_WAIT", "6s"},
                                                                  {"HOME", "/x"}},
                                                  .assignments = {"gateway.threads=5"}});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->integer("gateway.threads"), 5);
  EXPECT_EQ(settings->duration("gateway.wait"), 6s);
  EXPECT_TRUE(settings->flag("gateway.tls"));
  EXPECT_TRUE(settings->is_set("gateway.tls"));
}

TEST_F(ConfigTest, ListsAndMapsComeInEveryForm) {
  const std::string path = file(
      "gateway:\n  peers: [a, b]\nnode:\n  disks:\n    - {path: /1, capacity: 2GiB}\n    - path: "
      "/2\n");
  const auto from_file = Settings::load(schema(), {.file = path});
  ASSERT_TRUE(from_file) << from_file.error().message;
  EXPECT_EQ(from_file->list("gateway.peers"), (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(from_file->maps("node.disks").size(), 2u);
  EXPECT_EQ(from_file->maps("node.disks")[0].size("capacity"), 2ull << 30);
  EXPECT_EQ(from_file->maps("node.disks")[1].text("path"), "/2");
  EXPECT_EQ(from_file->maps("node.disks")[1].size("capacity"), 1ull << 30);
  EXPECT_EQ(set("gateway.peers=a, b,c")->list("gateway.peers"),
            (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(set("node.disks=[{path: /a}]")->maps("node.disks")[0].text("path"), "/a");
}

TEST_F(ConfigTest, UnknownKeysAreRefusedWithTheNearest) {
  expect_refused(set("gateway.thread=3"),
                 {"--set", "gateway.thread", "did you mean gateway.threads"});
  expect_refused(Settings::load(schema(), {.environment = {{"RONDEL_GATEWAY_LISTN", "x"}}}),
                 {"RONDEL_GATEWAY_LISTN", "RONDEL_GATEWAY_LISTEN"});
  expect_refused(Settings::load(schema(), {.file = file("gatewy:\n  listen: x\n")}),
                 {"rondel.yaml", "gatewy"});
  expect_refused(Settings::load(schema(), {.file = file("gateway:\n  listen: {a: b}\n")}),
                 {"gateway.listen"});
  expect_refused(set("node.disks=[{path: /a, size: 3}]"), {"node.disks[0]", "size"});
  EXPECT_TRUE(Settings::load(
      schema(), {.environment = {{"RONDEL_SOMETHING_ELSE", "x"}, {"RONDEL_SEED", "1"}}}))
      << "not ours";
}

TEST_F(ConfigTest, WrongValuesAreRefusedWithWhatWasExpected) {
  for (const char* bad : {"gateway.threads=0",
                          "gateway.threads=65",
                          "gateway.threads=x",
                          "gateway.threads=",
                          "gateway.threads=1.5",
                          "gateway.threads= 1",
                          "gateway.tls=yes",
                          "gateway.tls=1",
                          "gateway.buffer=4095",
                          "gateway.buffer=8MB",
                          "gateway.buffer=-1",
                          "gateway.wait=10",
                          "gateway.wait=2h",
                          "gateway.wait=-1s",
                          "log.level=trace",
                          "log.level=",
                          "node.disks=[{}]",
                          "node.disks=/a",
                          "node.disks=[{path: ''}]",
                          "node.disks=[",
                          "noequals",
                          "=x"}) {
    SCOPED_TRACE(bad);
    expect_refused(set(bad), {"--set"});
  }
}

TEST_F(ConfigTest, BrokenFilesAreNamed) {
  EXPECT_EQ(Settings::load(schema(), {.file = folder_ + "/absent"}).error().code,
            ErrorCode::kNotFound);
  for (const char* text : {"- a\n", "gateway: [\n", "just text",
                           "gateway:\n  listen: a\n  listen: b\n", "? [a]\n: b\n"}) {
    SCOPED_TRACE(text);
    expect_refused(Settings::load(schema(), {.file = file(text)}), {"rondel.yaml"});
  }
  EXPECT_TRUE(Settings::load(schema(), {.file = file("")}));
  EXPECT_TRUE(Settings::load(schema(), {.file = file("# nothing\ngateway:\n")}));
}

// Kubernetes tells containers of the Services beside them; what an operator misspelt is refused as
// ever.
TEST_F(ConfigTest, LinksToServicesAreNoSettings) {
  const std::map<std::string, std::string> links = {
      {"RONDEL_GATEWAY_SERVICE_HOST", "10.0.0.1"},
      {"RONDEL_GATEWAY_SERVICE_PORT", "9400"},
      {"RONDEL_GATEWAY_SERVICE_PORT_CLUSTER", "9400"},
      {"RONDEL_GATEWAY_PORT", "tcp://10.0.0.1:9400"},
      {"RONDEL_GATEWAY_PORT_9400_TCP", "tcp://10.0.0.1:9400"},
      {"RONDEL_GATEWAY_PORT_9400_TCP_PROTO", "tcp"},
      {"RONDEL_GATEWAY_PORT_9400_TCP_PORT", "9400"},
      {"RONDEL_GATEWAY_PORT_9400_TCP_ADDR", "10.0.0.1"},
      {"RONDEL_NODE_A_SERVICE_HOST", "10.0.0.2"},
      {"RONDEL_NODE_A_SERVICE_PORT", "9200"}};
  EXPECT_TRUE(Settings::load(schema(), {.environment = links}));
  for (const char* name :
       {"RONDEL_GATEWAY_PORT", "RONDEL_GATEWAY_SERVICE_HOST", "RONDEL_NODE_PORT_9200_TCP"}) {
    expect_refused(Settings::load(schema(), {.environment = {{name, "x"}}}), {name});
  }
  auto misspelt = links;
  misspelt["RONDEL_GATEWAY_THREDS"] = "3";
  expect_refused(Settings::load(schema(), {.environment = misspelt}), {"RONDEL_GATEWAY_THREDS"});
}

TEST_F(ConfigTest, APasswordDoesNotBelongOnACommandLine) {
  const char* const with[] = {"host=h password=swordfish",
                              "password = 'sword fish' host=h",
                              "PASSWORD=x",
                              "postgresql://u:swordfish@h/db",
                              "postgres://u:p@h",
                              "sslpassword=x"};
  for (const std::string text : with) {
    EXPECT_TRUE(holds_password(text)) << text;
    const auto refused = set("gateway.listen=" + text);
    expect_refused(refused, {"gateway.listen", "command line"});
    EXPECT_FALSE(refused.error().message.contains("swordfish"));
    EXPECT_TRUE(Settings::load(schema(), {.environment = {{"RONDEL_GATEWAY_LISTEN", text}}}))
        << text;
  }
  for (const std::string text :
       {"host=/run/pg user=rondel dbname=rondel", "postgresql://u@h:5432/db", "passfile=/run/pass",
        "http://h:80/path@x", "", "0.0.0.0:9000"}) {
    EXPECT_FALSE(holds_password(text)) << text;
  }
}

TEST(Units, SizesAndDurations) {
  EXPECT_EQ(parse_size("0"), 0u);
  EXPECT_EQ(parse_size("64KiB"), 65'536u);
  EXPECT_EQ(parse_size("3B"), 3u);
  EXPECT_EQ(parse_size("1TiB"), 1ull << 40);
  for (const char* bad :
       {"", "KiB", "1KB", "1 KiB", "1kib", "-1", "1.5MiB", "9223372036854775808", "8388608TiB"}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
  }
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("7d"), 168h);
  for (const char* bad : {"", "1", "s", "1 s", "1S", "-1s", "1.5s", "9999999999d"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
  EXPECT_EQ(format_size(8 << 20), "8MiB");
  EXPECT_EQ(format_size(1500), "1500");
  EXPECT_EQ(format_size(0), "0");
}

TEST(Units, NothingWrapsAtAnyLength) {
  const std::string digits[] = {"0",
                                "1",
                                "2147483647",
                                "2147483648",
                                "106751991",
                                "106751992",
                                "9223372036854775807",
                                "9223372036854775808",
                                "18446744073709551615",
                                "18446744073709551616",
                                "999999999999999999999999999999"};
  for (const std::string& number : digits) {
    for (const char* unit : {"", "B", "KiB", "MiB", "GiB", "TiB"}) {
      if (const auto size = parse_size(number + unit)) {
        EXPECT_TRUE(*size <= kSizeMax && (*size == 0) == (number == "0")) << number << unit;
      }
    }
    for (const char* unit : {"ms", "s", "m", "h", "d"}) {
      const auto duration = parse_duration(number + unit);
      if (duration) {
        EXPECT_TRUE(*duration <= kDurationMax && (*duration == 0s) == (number == "0"))
            << number << unit;
      }
    }
  }
  EXPECT_EQ(parse_size("65536TiB"), kSizeMax);
  EXPECT_FALSE(parse_size("65537TiB"));
  EXPECT_EQ(parse_duration("10000d"), kDurationMax);
  EXPECT_FALSE(parse_duration("10001d"));
  EXPECT_FALSE(parse_duration("864000000001ms"));
  EXPECT_EQ(parse_duration("99999999999d").error().message, "expected at most 10000d");
  // As many as code puts together.
  Duration sum{};
  for (int i = 0; i < 8; ++i) sum += *parse_duration("10000d");
  EXPECT_GT(sum, *parse_duration("10000d"));
  for (const char* bad : {"+1", "0x10", "1e3", "1.5", " 1", "1 "}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
    EXPECT_FALSE(parse_duration(std::string(bad) + "s")) << bad;
  }
}

TEST_F(ConfigTest, WholeNumbersEndAtTheirBounds) {
  for (const char* bad : {"0", "-1", "65", "+1", "1.5", "1e1", "0x10", "2147483648", "4294967297",
                          "9223372036854775808", "18446744073709551617",
                          "999999999999999999999999999999", "", " ", " 1"}) {
    expect_refused(set("gateway.threads=" + std::string(bad)), {"--set", "gateway.threads"});
  }
  EXPECT_EQ(set("gateway.threads=64")->integer("gateway.threads"), 64);
}

TEST_F(ConfigTest, NoTextHoldsAControlCharacter) {
  for (int byte = 0; byte < 256; ++byte) {
    const bool control = byte < 0x20 || byte == 0x7f;
    const auto loaded = set("gateway.listen=a" + std::string(1, static_cast<char>(byte)) + "b");
    EXPECT_EQ(loaded.has_value(), !control) << byte;
  }
}

TEST(SchemaTest, DescribesEveryKey) {
  const std::string table = schema().describe();
  for (const Key& key : schema().keys()) {
    EXPECT_NE(table.find("`" + key.name + "`"), std::string::npos) << key.name;
  }
  EXPECT_NE(table.find("node.disks[].path"), std::string::npos);
}

// What a process runs with, as people read it; no secret is among it.
TEST_F(ConfigTest, EffectiveValuesSayWhereTheyCameFrom) {
  const auto settings = Settings::load(
      schema(), {file("gateway:\n  buffer: 1MiB\n  peers: [a, b]\nnode:\n  disks: [{path: /a}]\n"),
                 {{"RONDEL_GATEWAY_LISTEN", "host=h password=s3cret"}},
                 {"gateway.threads=9"}});
  ASSERT_TRUE(settings) << settings.error().message;
  std::map<std::string, std::pair<std::string, std::string>> all;
  for (const auto& [name, value, source] : settings->effective()) all[name] = {value, source};
  using Row = std::pair<std::string, std::string>;
  EXPECT_EQ(all.size(), schema().keys().size());
  EXPECT_EQ(all["gateway.buffer"], Row("1MiB", "file"));
  EXPECT_EQ(all["gateway.peers"], Row("a,b", "file"));
  EXPECT_EQ(all["gateway.threads"], Row("9", "flag"));
  EXPECT_EQ(all["gateway.wait"], Row("10000ms", "default"));
  EXPECT_EQ(all["gateway.tls"], Row("false", "default"));
  EXPECT_EQ(all["gateway.listen"], Row("(holds a password)", "environment"));
  EXPECT_EQ(all["node.disks"].second, "file");
  EXPECT_TRUE(all["node.disks"].first.contains("path: /a")) << all["node.disks"].first;
}

}  // namespace
}  // namespace rondel::config
