#include "kms/vault.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/async/event_loop.h"
#include "common/async/task_group.h"
#include "tests/fakes/fake_vault.h"

namespace rondel::kms {
namespace {

TEST(VaultEndpoint, KeysDoNotCrossANetworkInPlainText) {
  const auto refused = [](const char* address, bool allow_http = false) {
    return !vault_endpoint(address, "", allow_http);
  };
  for (const char* local : {"http://127.0.0.1:8200", "http://localhost:8200", "http://[::1]:8200",
                            "https://127.0.0.1:8200"}) {
    EXPECT_FALSE(refused(local)) << local;
  }
  for (const char* remote : {"http://vault:8200", "http://10.0.0.1:8200",
                             "http://[2001:db8::1]:8200", "http://127.0.0.1.example.test"}) {
    EXPECT_TRUE(refused(remote)) << remote;
    EXPECT_FALSE(refused(remote, true)) << remote;
  }
  EXPECT_FALSE(refused("https://vault:8200"));
  EXPECT_TRUE(refused("ftp://127.0.0.1"));
}

TEST(VaultEndpoint, AnAuthorityIsAFileThatCanBeReadAndIsForTls) {
  EXPECT_EQ(vault_endpoint("https://vault", "/nowhere.pem", false).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(vault_endpoint("http://127.0.0.1", "/nowhere.pem", false).error().code,
            ErrorCode::kInvalidArgument);
}

class VaultTest : public testing::Test {
 protected:
  VaultTest()
      : token_file_(std::filesystem::temp_directory_path() /
                    ("vault-token-" + to_hex(as_bytes(crypto::random_bytes(8))))) {
    write_token("first-token");
  }

  ~VaultTest() override { std::filesystem::remove(token_file_); }

  VaultOptions options() const {
    VaultOptions out;
    out.endpoint = {"127.0.0.1", vault_.port(), false, true};
    out.token_file = token_file_;
    return out;
  }

  static Deadline soon() { return deadline_in(std::chrono::seconds(60)); }

  // Connections live on the loop that opened them, so all of a test runs on one.
  void run(async::Task<void> (*body)(VaultTest&, KeyManagement&), VaultOptions with) {
    const auto driver = [](auto work, VaultTest& test, VaultOptions chosen) -> async::Task<void> {
      VaultKeyManagement vault(std::move(chosen));
      co_await work(test, vault);
    };
    async::block_on(driver(body, *this, std::move(with)));
  }

 public:
  void write_token(const std::string& token) { std::ofstream(token_file_) << token << "\n"; }

  // To whoever waits at the FIFO that stands in the file's place; nobody need wait there.
  void end_waiting() { std::fstream(token_file_, std::ios::in | std::ios::out) << "a-token\n"; }

  fakes::FakeVault vault_;
  const std::filesystem::path token_file_;
};

TEST_F(VaultTest, GeneratesUnwrapsAndRewraps) {
  vault_.make_key("one");
  run(
      [](VaultTest&, KeyManagement& keys) -> async::Task<void> {
        const auto made = co_await keys.generate_data_key("one", "context", soon());
        EXPECT_TRUE(made.has_value());
        if (!made) co_return;
        EXPECT_EQ(made->plaintext.size(), 32U);
        EXPECT_TRUE(made->wrapped.starts_with("vault:v1:"));
        const auto opened = co_await keys.unwrap("one", made->wrapped, "context", soon());
        EXPECT_EQ(opened.value().view(), made->plaintext.view());
        EXPECT_EQ((co_await keys.unwrap("one", made->wrapped, "other", soon())).error().code,
                  ErrorCode::kCorruption);
        EXPECT_EQ((co_await keys.unwrap("one", "vault:v1:garbage", "context", soon())).error().code,
                  ErrorCode::kCorruption);
        EXPECT_TRUE((co_await keys.rotate("one", soon())).has_value());
        const auto renewed = co_await keys.rewrap("one", made->wrapped, "context", soon());
        EXPECT_TRUE(renewed.value().starts_with("vault:v2:"));
        const auto reopened = co_await keys.unwrap("one", *renewed, "context", soon());
        EXPECT_EQ(reopened.value().view(), made->plaintext.view());
      },
      options());
}

TEST_F(VaultTest, AdministersKeys) {
  run(
      [](VaultTest&, KeyManagement& keys) -> async::Task<void> {
        EXPECT_TRUE((co_await keys.list(soon())).value().empty());
        EXPECT_EQ((co_await keys.generate_data_key("one", "", soon())).error().code,
                  ErrorCode::kNotFound);
        EXPECT_EQ((co_await keys.rotate("one", soon())).error().code, ErrorCode::kNotFound);
        EXPECT_TRUE((co_await keys.create("one", soon())).has_value());
        EXPECT_EQ((co_await keys.create("one", soon())).error().code, ErrorCode::kAlreadyExists);
        EXPECT_TRUE((co_await keys.rotate("one", soon())).has_value());
        const auto all = co_await keys.list(soon());
        EXPECT_EQ(all.value().size(), 1U);
        EXPECT_EQ(all->front().name, "one");
        EXPECT_EQ(all->front().newest_version, 2U);
        EXPECT_EQ((co_await keys.set_enabled("one", false, soon())).error().code,
                  ErrorCode::kUnimplemented);
      },
      options());
}

TEST_F(VaultTest, NamesThatWouldMeanSomethingInAPathAreNotSent) {
  run(
      [](VaultTest& test, KeyManagement& keys) -> async::Task<void> {
        for (const char* name : {"", "a/b", "../x", "a?b", "a b", "-a", "a%2e"}) {
          EXPECT_EQ((co_await keys.generate_data_key(name, "", soon())).error().code,
                    ErrorCode::kNotFound)
              << name;
          EXPECT_EQ((co_await keys.describe(name, soon())).error().code, ErrorCode::kNotFound)
              << name;
        }
        EXPECT_TRUE(test.vault_.requests().empty());
      },
      options());
}

TEST_F(VaultTest, StatusesBecomeErrors) {
  vault_.make_key("one");
  run(
      [](VaultTest& test, KeyManagement& keys) -> async::Task<void> {
        for (const auto& [status, code] : {std::pair{400, ErrorCode::kInvalidArgument},
                                           {403, ErrorCode::kPermissionDenied},
                                           {429, ErrorCode::kResourceExhausted},
                                           {500, ErrorCode::kUnavailable},
                                           {503, ErrorCode::kUnavailable},
                                           {418, ErrorCode::kInternal}}) {
          test.vault_.fail_next(status);
          EXPECT_EQ((co_await keys.generate_data_key("one", "", soon())).error().code, code)
              << status;
        }
        EXPECT_TRUE((co_await keys.generate_data_key("one", "", soon())).has_value());
      },
      options());
}

TEST_F(VaultTest, ASlowVaultIsGivenUp) {
  vault_.make_key("one");
  VaultOptions impatient = options();
  impatient.timeout = std::chrono::milliseconds(50);
  run(
      [](VaultTest& test, KeyManagement& keys) -> async::Task<void> {
        test.vault_.fail_next(0);
        EXPECT_EQ((co_await keys.generate_data_key("one", "", soon())).error().code,
                  ErrorCode::kDeadlineExceeded);
      },
      impatient);
}

TEST_F(VaultTest, NobodyThere) {
  VaultOptions nowhere = options();
  nowhere.endpoint.port = 1;
  run(
      [](VaultTest&, KeyManagement& keys) -> async::Task<void> {
        EXPECT_EQ((co_await keys.generate_data_key("one", "", soon())).error().code,
                  ErrorCode::kUnavailable);
      },
      nowhere);
}

TEST_F(VaultTest, ARenewedTokenIsReadAgain) {
  vault_.make_key("one");
  run(
      [](VaultTest& test, KeyManagement& keys) -> async::Task<void> {
        EXPECT_TRUE((co_await keys.generate_data_key("one", "", soon())).has_value());
        test.vault_.set_token("second-token");
        EXPECT_EQ((co_await keys.generate_data_key("one", "", soon())).error().code,
                  ErrorCode::kPermissionDenied);
        test.write_token("second-token");
        EXPECT_TRUE((co_await keys.generate_data_key("one", "", soon())).has_value());
      },
      options());
}

// Whoever opens this file waits for somebody who writes: as on a file system that hangs.
TEST_F(VaultTest, AFileThatHangsHoldsUpItsCallsAndNothingElse) {
  std::filesystem::remove(token_file_);
  ASSERT_EQ(::mkfifo(token_file_.c_str(), 0600), 0);
  vault_.make_key("one");
  run(
      [](VaultTest& test, KeyManagement& keys) -> async::Task<void> {
        const auto beside = [](int& turns) -> async::Task<void> {
          for (; turns < 5; ++turns) co_await async::sleep_for(std::chrono::milliseconds(1));
        };
        int turns = 0;
        async::TaskGroup others(*async::EventLoop::current());
        others.spawn(beside(turns));
        const auto late =
            co_await keys.generate_data_key("one", "", deadline_in(std::chrono::milliseconds(100)));
        EXPECT_EQ(late.error().code, ErrorCode::kUnavailable);
        co_await others.wait_idle();
        EXPECT_EQ(turns, 5);
        EXPECT_TRUE(test.vault_.requests().empty());
        test.end_waiting();
        std::filesystem::remove(test.token_file_);
        test.write_token("first-token");
        EXPECT_TRUE((co_await keys.generate_data_key("one", "", soon())).has_value());
      },
      options());
}

// Nobody ever writes: the read ends when the test lets it, long after its reader has gone.
TEST_F(VaultTest, AFileThatHangsDoesNotHoldUpTheEnd) {
  std::filesystem::remove(token_file_);
  ASSERT_EQ(::mkfifo(token_file_.c_str(), 0600), 0);
  run(
      [](VaultTest&, KeyManagement& keys) -> async::Task<void> {
        const auto late =
            co_await keys.generate_data_key("one", "", deadline_in(std::chrono::milliseconds(20)));
        EXPECT_EQ(late.error().code, ErrorCode::kUnavailable);
      },
      options());
  end_waiting();  // The thread that was left.
}

TEST_F(VaultTest, WithoutTokenNothingIsAsked) {
  VaultOptions without = options();
  without.token_file += ".absent";
  run(
      [](VaultTest& test, KeyManagement& keys) -> async::Task<void> {
        EXPECT_EQ((co_await keys.generate_data_key("one", "", soon())).error().code,
                  ErrorCode::kUnavailable);
        EXPECT_TRUE(test.vault_.requests().empty());
      },
      without);
}

}  // namespace
}  // namespace rondel::kms
