#include "common/program/secrets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

extern char** environ;

namespace rondel::program {
namespace {

TEST(Secrets, NamesThatMayHoldOne) {
  for (const char* name : {"RONDEL_ROOT_SECRET_KEY", "RONDEL_ROOT_ACCESS_KEY", "RONDEL_SECRET_KEY",
                           "RONDEL_METADATA_DSN", "RONDEL_VAULT_TOKEN", "PGPASSWORD",
                           "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "VAULT_TOKEN"}) {
    EXPECT_TRUE(is_secret_variable(name)) << name;
  }
  for (const char* name : {"RONDEL_DATA", "RONDEL_GATEWAY_LISTEN", "RONDEL_CLOCKS", "PATH", "HOME",
                           "LD_PRELOAD", "ASAN_OPTIONS", ""}) {
    EXPECT_FALSE(is_secret_variable(name)) << name;
  }
}

// Nothing that is started later inherits them, and nobody finds them where they were.
TEST(Secrets, AreTakenOutOfTheEnvironmentOnce) {
  setenv("RONDEL_ROOT_SECRET_KEY", "swordfish", 1);
  setenv("RONDEL_METADATA_DSN", "password=swordfish", 1);
  setenv("PGPASSWORD", "swordfish", 1);
  setenv("RONDEL_DATA", "/somewhere", 1);
  const auto taken = take_secrets();
  EXPECT_EQ(taken.at("RONDEL_ROOT_SECRET_KEY"), "swordfish");
  EXPECT_EQ(secret("RONDEL_ROOT_SECRET_KEY"), "swordfish");
  EXPECT_EQ(secret("RONDEL_SECRET_KEY"), "");
  EXPECT_EQ(std::getenv("RONDEL_ROOT_SECRET_KEY"), nullptr);
  EXPECT_EQ(std::getenv("RONDEL_METADATA_DSN"), nullptr);
  EXPECT_STREQ(std::getenv("PGPASSWORD"), "swordfish") << "libpq asks for it at each connection";
  EXPECT_STREQ(std::getenv("RONDEL_DATA"), "/somewhere");
  for (const std::string& variable : environment_for_children()) {
    EXPECT_FALSE(variable.contains("swordfish")) << variable;
  }
  EXPECT_TRUE(std::ranges::count(environment_for_children(), "RONDEL_DATA=/somewhere") == 1);
  unsetenv("PGPASSWORD");
  unsetenv("RONDEL_DATA");
}

}  // namespace
}  // namespace rondel::program
