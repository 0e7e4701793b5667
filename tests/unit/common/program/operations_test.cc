// What a program's second listener answers.
#include "common/program/operations.h"

#include <gtest/gtest.h>

#include "tests/fakes/memory_exchange.h"

namespace rondel::program {
namespace {

class Operations : public ::testing::Test {
 protected:
  Operations() { registry_.counter("things_total", "Things.").add(3); }

  int ask(const std::string& method, const std::string& target) {
    http::RequestHead head;
    head.method = method;
    head.target = target;
    fakes::MemoryExchange exchange(std::move(head));
    async::block_on(service_.handle(exchange));
    body_ = exchange.response_body;
    return exchange.response.status;
  }

  metrics::Registry registry_;
  Result<void> serving_, first_, second_;
  Result<std::string> page_ = "a page";
  OperationsService service_{registry_,
                             {{ready_check("serving", [this] { return serving_; })},
                              {ready_check("first", [this] { return first_; }),
                               ready_check("second", [this] { return second_; })}},
                             {{"/admin/page", "text/plain",
                               [this]() -> async::Task<Result<std::string>> { co_return page_; }}}};
  std::string body_;
};

TEST_F(Operations, AnswersByPath) {
  const struct {
    const char* method;
    const char* target;
    int status;
    const char* part;
  } cases[] = {
      {"GET", "/metrics", 200, "things_total 3"},
      {"GET", "/health/live", 200, "alive"},
      {"GET", "/health/ready", 200, "serving: ok\nfirst: ok\nsecond: ok\n"},
      {"GET", "/health/serving", 200, "serving: ok\n"},
      {"HEAD", "/health/serving", 200, ""},
      {"POST", "/health/serving", 405, "only GET and HEAD"},
      {"GET", "/admin/page", 200, "a page"},
      {"GET", "/", 404, "/admin/page"},
      {"GET", "/admin/page/more", 404, "here are /metrics"},
      {"HEAD", "/health/live", 200, ""},
      {"POST", "/health/live", 405, "only GET and HEAD"},
      {"DELETE", "/admin/page", 405, ""},
  };

  for (const auto& c : cases) {
    SCOPED_TRACE(std::string(c.method) + " " + c.target);
    EXPECT_EQ(ask(c.method, c.target), c.status);
    EXPECT_NE(body_.find(c.part), std::string::npos) << body_;
  }
}

TEST_F(Operations, NamesEveryCheckThatFails) {
  first_ = fail(ErrorCode::kUnavailable, "it is away");
  EXPECT_EQ(ask("GET", "/health/ready"), 503);
  EXPECT_EQ(body_, "serving: ok\nfirst: it is away\nsecond: ok\n");
  second_ = fail(ErrorCode::kUnavailable, "so is this");
  EXPECT_EQ(ask("GET", "/health/ready"), 503);
  EXPECT_EQ(body_, "serving: ok\nfirst: it is away\nsecond: so is this\n");
}

// What all have in common (the database) empties no balancer; what is this process's own does.
TEST_F(Operations, ServingIsAskedWithoutWhatOthersMustMend) {
  first_ = fail(ErrorCode::kUnavailable, "the database is away");
  EXPECT_EQ(ask("GET", "/health/serving"), 200);
  EXPECT_EQ(body_, "serving: ok\n");
  serving_ = fail(ErrorCode::kUnavailable, "it ends");
  EXPECT_EQ(ask("GET", "/health/serving"), 503);
  EXPECT_EQ(body_, "serving: it ends\n");
  EXPECT_EQ(ask("GET", "/health/ready"), 503);
  EXPECT_EQ(ask("GET", "/health/live"), 200);
}

TEST_F(Operations, APageThatCannotBeMadeIs503) {
  page_ = fail(ErrorCode::kUnavailable, "the database does not answer");
  EXPECT_EQ(ask("GET", "/admin/page"), 503);
  EXPECT_EQ(body_, "the database does not answer\n");
}

}  // namespace
}  // namespace rondel::program
