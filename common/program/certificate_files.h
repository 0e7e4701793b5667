// CertificateFiles: when the certificates in files end, for whoever is to be told before. Reads
// them when asked to. Safe for concurrent use.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace rondel::program {

class CertificateFiles {
 public:
  explicit CertificateFiles(std::vector<std::string> files) : files_(std::move(files)) { read(); }

  // Again, from the disk. A file that does not read keeps what it had.
  void read();
  // By file: the earliest end in it. Without those that have never read.
  std::map<std::string, SystemTime> ends() const;

 private:
  const std::vector<std::string> files_;
  mutable Mutex mutex_;
  std::map<std::string, SystemTime> ends_ GUARDED_BY(mutex_);
};

}  // namespace rondel::program
