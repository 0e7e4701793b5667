#include "common/program/certificate_files.h"

#include <fstream>
#include <sstream>

#include "common/crypto/certificate.h"

namespace rondel::program {

void CertificateFiles::read() {
  for (const std::string& path : files_) {
    std::ifstream file(path);
    std::stringstream content;
    content << file.rdbuf();
    const auto certificate = crypto::parse_certificate(content.view());
    if (!certificate) continue;
    MutexLock lock(mutex_);
    ends_[path] = certificate->not_after;
  }
}

std::map<std::string, SystemTime> CertificateFiles::ends() const {
  MutexLock lock(mutex_);
  return ends_;
}

}  // namespace rondel::program
