#include "common/program/certificates.h"

#include <chrono>

#include "common/log/log.h"

namespace rondel::program {
namespace {

constexpr Duration kFilesPatience = std::chrono::seconds(5);

}  // namespace

// A file system that hangs does not keep the program from ending.
Certificates::Certificates(Read read, Ends ends, metrics::Registry& registry)
    : read_(std::move(read)),
      ends_(std::move(ends)),
      files_("certificates", 1, 1, async::BlockingPool::Ending::kLeave) {
  registry.collector(
      metrics::Type::kGauge, "rondel_tls_certificate_expiry_timestamp_seconds",
      "When the first certificate of the file ends.", [this] {
        std::vector<metrics::Sample> samples;
        for (const auto& [file, end] : ends_()) {
          samples.push_back(
              {{{"file", file}}, std::chrono::duration<double>(end.time_since_epoch()).count()});
        }
        return samples;
      });
}

void Certificates::read_again() {
  const auto read = files_.run_within(kFilesPatience, read_);
  const Result<bool> taken = read ? *read : std::unexpected(read.error());
  if (!taken) {
    return log::warn("main", "the certificates were not taken", {{"error", taken.error().message}});
  }
  if (*taken) log::info("main", "other certificates count from now on");
}

}  // namespace rondel::program
