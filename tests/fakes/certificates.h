// Authority: real certificates in a folder of their own, made by deploy/local/certificates.sh.
// Whoever includes it defines RONDEL_SOURCE, the folder of the sources.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "common/grpc/credentials.h"

namespace rondel::fakes {

class Authority {
 public:
  // `peers` as the script takes them.
  explicit Authority(const std::string& peers = "gateway/gateway node/node node/other") {
    std::string pattern = std::filesystem::temp_directory_path() / "rondel-certificates-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    const std::string command = std::string(RONDEL_SOURCE) + "/deploy/local/certificates.sh " +
                                folder_ + " " + peers + " > /dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0);
  }

  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  ~Authority() { std::filesystem::remove_all(folder_); }

  std::string read(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name, std::ios::trunc) << text;
  }

  // All files of another one, in the place of these.
  void take_over(const Authority& other) {
    for (const auto& entry : std::filesystem::directory_iterator(other.folder_)) {
      write(entry.path().filename(), other.read(entry.path().filename()));
    }
  }

  rpc::TlsFiles files(const std::string& name) const {
    return {folder_ + "/authority.pem", folder_ + "/" + name + ".pem",
            folder_ + "/" + name + ".key"};
  }

  std::shared_ptr<rpc::PeerCredentials> gateway(const std::string& name = "gateway") const {
    return rpc::PeerCredentials::load(files(name), {rpc::PeerRole::kGateway}).value();
  }

  std::shared_ptr<rpc::PeerCredentials> node(const std::string& name = "node") const {
    return rpc::PeerCredentials::load(files(name), {rpc::PeerRole::kNode, name}).value();
  }

 private:
  std::string folder_;
};

}  // namespace rondel::fakes
