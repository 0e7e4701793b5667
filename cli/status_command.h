// `rondel status`: nodes, disks, space and lag of a running cluster, asked of a gateway's admin API.
#pragma once

#include <string>

#include "common/base/result.h"

namespace rondel::cli {

struct StatusOptions {
  std::string data_directory;      // Finds the first gateway of a local cluster.
  std::string operations_url;      // Instead of it: "http://host:port".
  bool json = false;               // The admin API's document as it came.
};

// Prints to standard output. kUnavailable: no gateway answers.
Result<void> print_status(const StatusOptions& options);


}  // namespace rondel::cli
