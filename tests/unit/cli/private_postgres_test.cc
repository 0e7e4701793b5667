// Where the private PostgreSQL has its socket.
#include "cli/private_postgres.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace rondel::cli {
namespace {

class SocketPlace : public testing::Test {
 protected:
  SocketPlace() {
    char name[] = "/tmp/rondel-socket-XXXXXX";
    folder_ = mkdtemp(name);
    std::filesystem::create_directories(folder_ + "/" + std::string(70, 'l') + "/run");
    std::filesystem::create_directories(folder_ + "/run");
  }

  ~SocketPlace() override { std::filesystem::remove_all(folder_); }

  std::string far() const { return folder_ + "/" + std::string(70, 'l'); }

  std::string folder_;
};

TEST_F(SocketPlace, IsInTheDataFolderWhereThePathIsShortEnough) {
  ASSERT_TRUE(choose_socket_directory(folder_));
  EXPECT_EQ(socket_directory_of(folder_), folder_ + "/run/pg");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/run/postgresql.socket"));
}

TEST_F(SocketPlace, IsAFolderThatNobodyForeseesWhereItIsNot) {
  ASSERT_TRUE(choose_socket_directory(far()));
  const std::string place = socket_directory_of(far());
  EXPECT_LE(place.size() + 20, 107u);
  EXPECT_NE(place, far() + "/run/pg");
  struct stat status{};
  ASSERT_EQ(lstat(place.c_str(), &status), 0);
  EXPECT_TRUE(S_ISDIR(status.st_mode));
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_TRUE(choose_socket_directory(far()));
  EXPECT_EQ(socket_directory_of(far()), place) << "the same for good";
  remove_socket_directory(far());
  EXPECT_FALSE(std::filesystem::exists(place));
}

// Somebody else made something there meanwhile: it is neither used nor removed.
TEST_F(SocketPlace, IsNotBelievedWhenItIsAnothersOrOpenToAll) {
  ASSERT_TRUE(choose_socket_directory(far()));
  const std::string place = socket_directory_of(far());
  chmod(place.c_str(), 0777);
  ASSERT_TRUE(choose_socket_directory(far()));
  const std::string next = socket_directory_of(far());
  EXPECT_NE(next, place);
  std::filesystem::remove_all(next);
  std::filesystem::create_symlink(place, next);
  remove_socket_directory(far());
  EXPECT_TRUE(std::filesystem::exists(place));
  ASSERT_TRUE(choose_socket_directory(far()));
  EXPECT_NE(socket_directory_of(far()), next);
  remove_socket_directory(far());
  std::filesystem::remove_all(next);
  std::filesystem::remove_all(place);
}

// Folders above the cluster's are not ours to open; its own is, to the server's user alone.
TEST(PostgresUser, IsToldWhatItCannotGetThrough) {
  if (geteuid() != 0 || getpwnam("postgres") == nullptr) {
    GTEST_SKIP() << "only root starts it as somebody else";
  }
  char name[] = "/tmp/rondel-user-XXXXXX";
  const std::string above = mkdtemp(name);  // 0700.
  const std::string own = above + "/data";
  std::filesystem::create_directories(own);
  PrivatePostgres postgres{own + "/postgresql", own + "/run/pg", own + "/run/postgresql.pid",
                           own + "/log", "postgres"};

  const auto refused = postgres.check_user();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kPrecondition);
  EXPECT_NE(refused.error().message.find(above + " is closed"), std::string::npos)
      << refused.error().message;
  for (const mode_t open : {0701, 0711, 0755}) {
    chmod(above.c_str(), open);
    chmod(own.c_str(), 0700);
    EXPECT_TRUE(postgres.check_user()) << open;
  }

  ASSERT_TRUE(postgres.let_through(own));
  struct stat status{};
  ASSERT_EQ(stat(own.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0710u);
  EXPECT_EQ(status.st_uid, 0u);
  EXPECT_EQ(status.st_gid, getpwnam("postgres")->pw_gid);

  postgres.user = "nobody-of-that-name";
  EXPECT_NE(postgres.check_user().error().message.find("nobody-of-that-name is missing"),
            std::string::npos);
  std::filesystem::remove_all(above);
}

}  // namespace
}  // namespace rondel::cli
