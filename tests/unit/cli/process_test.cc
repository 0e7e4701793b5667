#include "cli/process.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace rondel::cli {
namespace {

using namespace std::chrono_literals;

class ProcessTest : public testing::Test {
 protected:
  ProcessTest() {
    char name[] = "/tmp/rondel-process-XXXXXX";
    folder_ = mkdtemp(name);
  }

  ~ProcessTest() override { std::filesystem::remove_all(folder_); }

  ProcessSpec sleeper() const {
    return {{"/bin/sleep", "60"}, folder_ + "/x.pid", folder_ + "/x.log"};
  }

  // The kernel may show a program a moment after it was started.
  std::optional<pid_t> wait_until_running(const std::string& program) const {
    const Deadline end = deadline_in(60s);
    std::optional<pid_t> pid;
    while (!(pid = running_process(folder_ + "/x.pid", program)) &&
           std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(10ms);
    }
    return pid;
  }

  std::string folder_;
};

TEST_F(ProcessTest, StartsFindsAndStopsAProcess) {
  const auto pid = start_process(sleeper());
  ASSERT_TRUE(pid);
  EXPECT_EQ(wait_until_running("sleep"), *pid);
  EXPECT_TRUE(stop_process(*pid, 5s));
  EXPECT_FALSE(running_process(folder_ + "/x.pid", "sleep"));
}

TEST_F(ProcessTest, DoesNotBelieveAReusedPid) {
  std::ofstream(folder_ + "/x.pid") << getpid() << "\n";
  EXPECT_FALSE(running_process(folder_ + "/x.pid", "rondel-gateway"));
  EXPECT_FALSE(running_process(folder_ + "/absent.pid", "sleep"));
}

// /proc/PID/environ of what was started, and what a program says of its own.
TEST_F(ProcessTest, ChildrenInheritNoSecret) {
  const char* const secrets[] = {"RONDEL_ROOT_SECRET_KEY", "RONDEL_METADATA_DSN", "PGPASSWORD",
                                 "AWS_SECRET_ACCESS_KEY"};
  for (const char* name : secrets) setenv(name, "swordfish", 1);
  setenv("RONDEL_DATA", "/shown", 1);
  const auto pid = start_process(sleeper());
  ASSERT_TRUE(pid);
  ASSERT_TRUE(wait_until_running("sleep"));
  // It is empty for a moment while the program takes the place of the one that started it.
  std::stringstream text;
  while (text.view().empty()) {
    std::ifstream environment("/proc/" + std::to_string(*pid) + "/environ");
    if (environment.peek() != std::ifstream::traits_type::eof()) text << environment.rdbuf();
  }
  EXPECT_FALSE(text.view().contains("swordfish"));
  EXPECT_TRUE(text.view().contains("RONDEL_DATA=/shown"));
  const auto printed = run_program({"/usr/bin/env"});
  ASSERT_TRUE(printed);
  EXPECT_FALSE(printed->contains("swordfish"));
  EXPECT_TRUE(printed->contains("RONDEL_DATA=/shown"));
  stop_process(*pid, 5s);
  for (const char* name : secrets) unsetenv(name);
  unsetenv("RONDEL_DATA");
}

TEST_F(ProcessTest, SaysWhyAProgramCannotStart) {
  const auto pid =
      start_process({{"/nonexistent/program"}, folder_ + "/x.pid", folder_ + "/x.log"});
  ASSERT_FALSE(pid);
  EXPECT_NE(pid.error().message.find("/nonexistent/program"), std::string::npos);
}

TEST_F(ProcessTest, ReturnsOutputOrTheLastLinesOfAFailure) {
  EXPECT_EQ(run_program({"/bin/echo", "hello"}).value(), "hello\n");
  const auto failed = run_program({"/bin/sh", "-c", "echo reason >&2; exit 3"});
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("reason"), std::string::npos);
}

}  // namespace
}  // namespace rondel::cli
