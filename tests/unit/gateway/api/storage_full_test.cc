// Every operation that stores bytes while disks have no space: 507 when nothing but space lacks,
// 503 when another reason takes part, and everything else goes on.
#include "tests/unit/gateway/api/memory_gateway.h"

namespace rondel::api {
namespace {

using Headers = MemoryGateway::Headers;
using transfer::DiskFaults;

constexpr DiskFaults kGood;
constexpr DiskFaults kFull{.full = true};
constexpr DiskFaults kGone{.unreachable = true};

// An object of this size goes through the calls for small blobs, of that one through the others.
const std::string kSmall(1000, 's');
const std::string kLarge(300'000, 'l');

std::string form(const std::string& key, const std::string& file) {
  return "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n" + key +
         "\r\n--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n" + file +
         "\r\n--b--\r\n";
}

constexpr const char* kAllow =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::box/*"}]})";

struct Write {
  std::string name;
  std::string method;
  std::string target;
  Headers headers = {};
  std::string body = {};
};

class StorageFull : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(gateway.ask("PUT", "/box").status, 200);
    // A form without a signature is a stranger's.
    (void)async::block_on(gateway.stores.buckets.set_bucket_setting(
        {.bucket_id = gateway.state.find_bucket("box")->bucket.id,
         .deadline = deadline_in(std::chrono::seconds(60))},
        metadata::SettingKind::kPolicy, kAllow));
    ASSERT_EQ(gateway.ask("PUT", "/box/old", kLarge).status, 200);
    ASSERT_EQ(gateway.ask("PUT", "/box/log", kSmall).status, 200);
    plain_ = gateway.ask("POST", "/box/parts?uploads").element("UploadId");
    sealed_ = gateway.ask("POST", "/box/sealed?uploads", "", {{kEncryption, "AES256"}})
                  .element("UploadId");
    const Answer part = gateway.ask("PUT", part_of(1), kSmall);
    part_ = part.field("ETag");
    ASSERT_EQ(part.status, 200);
  }

  std::string part_of(int number) const {
    return "/box/parts?partNumber=" + std::to_string(number) + "&uploadId=" + plain_;
  }

  std::vector<Write> writes() const {
    return {
        {"small", "PUT", "/box/new", {}, kSmall},
        {"large", "PUT", "/box/new", {}, kLarge},
        {"encrypted", "PUT", "/box/new", {{kEncryption, "AES256"}}, kSmall},
        {"part", "PUT", part_of(2), {}, kLarge},
        {"encrypted part", "PUT", "/box/sealed?partNumber=1&uploadId=" + sealed_, {}, kSmall},
        {"append", "PUT", "/box/log", {{"x-amz-write-offset-bytes", "1000"}}, kSmall},
        {"copy by bytes",
         "PUT",
         "/box/copy",
         {{"x-amz-copy-source", "/box/old"}, {kEncryption, "AES256"}}},
        {"part copy by bytes",
         "PUT",
         "/box/sealed?partNumber=2&uploadId=" + sealed_,
         {{"x-amz-copy-source", "/box/old"}}},
        {"form",
         "POST",
         "/box",
         {{"Content-Type", "multipart/form-data; boundary=b"}},
         form("posted", kSmall)},
        {"form, large",
         "POST",
         "/box",
         {{"Content-Type", "multipart/form-data; boundary=b"}},
         form("posted", kLarge)},
    };
  }

  void set_zones(std::initializer_list<DiskFaults> faults) {
    size_t zone = 0;
    const auto ring = gateway.topology.topology()->rings.front();
    ASSERT_EQ(ring->disks().size(), faults.size());
    for (const DiskFaults& fault : faults) {
      gateway.cluster.set_faults(ring->disks()[zone++].id, fault);
    }
  }

  static constexpr const char* kEncryption = "x-amz-server-side-encryption";
  MemoryGateway gateway;
  std::string plain_, sealed_, part_;
};

TEST_F(StorageFull, IsToldToEveryOperationThatStoresBytes) {
  struct Row {
    std::string name;
    std::initializer_list<DiskFaults> zones;
    int status;
    std::string code;
  };

  // Twice each: what a gateway remembers of its disks changes no answer.
  for (const Row& row : {Row{"all", {kFull, kFull, kFull}, 507, "InsufficientStorage"},
                         Row{"all but one", {kFull, kGood, kFull}, 507, "InsufficientStorage"},
                         Row{"one is away", {kFull, kGone, kFull}, 503, "ServiceUnavailable"},
                         Row{"two are away", {kGone, kFull, kGone}, 503, "ServiceUnavailable"},
                         Row{"space is away", {kFull, kGone, kGood}, 503, "ServiceUnavailable"},
                         Row{"none is full", {kGone, kGone, kGone}, 503, "ServiceUnavailable"}}) {
    for (const Write& write : writes()) {
      for (const char* time : {"first", "second"}) {
        SCOPED_TRACE(row.name + ": " + write.name + ", " + time);
        set_zones(row.zones);
        const Answer answer = gateway.ask(write.method, write.target, write.body, write.headers);
        EXPECT_EQ(answer.status, row.status) << answer.body;
        EXPECT_EQ(answer.element("Code"), row.code);
        EXPECT_EQ(answer.field("Retry-After"), row.status == 507 ? "" : "1");
        if (row.status == 507) EXPECT_EQ(answer.element("Message"), "The storage is full.");
      }
    }
  }
  set_zones({kGood, kGood, kGood});
  EXPECT_EQ(gateway.ask("GET", "/box/new").status, 404);
  EXPECT_EQ(gateway.ask("GET", "/box/log").body, kSmall);
  gateway.expect_nothing_stray();
}

TEST_F(StorageFull, EndsWithTheNextWriteThatFindsRoom) {
  for (const Write& write : writes()) {
    SCOPED_TRACE(write.name);
    set_zones({kFull, kFull, kFull});
    EXPECT_EQ(gateway.ask(write.method, write.target, write.body, write.headers).status, 507);
    set_zones({kGood, kFull, kGood});
    const Answer answer = gateway.ask(write.method, write.target, write.body, write.headers);
    EXPECT_EQ(answer.status / 100, 2) << answer.body;
  }
}

TEST_F(StorageFull, StopsNothingThatNeedsNoNewBytes) {
  set_zones({kFull, kFull, kFull});
  EXPECT_EQ(gateway.ask("PUT", "/box/new", kSmall).status, 507);
  for (const auto& [method, target, headers, body, status] :
       {std::tuple<std::string, std::string, Headers, std::string, int>{
            "GET", "/box/old", {}, "", 200},
        {"HEAD", "/box/old", {}, "", 200},
        {"PUT", "/box/empty", {}, "", 200},
        {"PUT", "/box/copy", {{"x-amz-copy-source", "/box/old"}}, "", 200},
        {"PUT", part_of(3), {{"x-amz-copy-source", "/box/old"}}, "", 200},
        {"PUT", "/box/moved?renameObject", {{"x-amz-rename-source", "/box/copy"}}, "", 200},
        {"PUT",
         "/box/old?tagging",
         {},
         "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
         200},
        {"POST", "/box/more?uploads", {}, "", 200},
        {"POST",
         "/box/parts?uploadId=" + plain_,
         {},
         "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + part_ +
             "</ETag></Part></CompleteMultipartUpload>",
         200},
        {"DELETE", "/box/old", {}, "", 204}}) {
    SCOPED_TRACE(method + " " + target);
    const Answer answer = gateway.ask(method, target, body, headers);
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_EQ(answer.element("Code"), "");
  }
}

}  // namespace
}  // namespace rondel::api
