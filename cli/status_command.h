// `rondel status`: nodes, disks, space and lag of a running cluster, asked of a gateway's admin
// API.
#pragma once

#include <string>

#include "cli/answer.h"

namespace rondel::cli {

struct StatusOptions {
  std::string data_directory;  // Finds the first gateway of a local cluster.
  std::string operations_url;  // Instead of it: "http://host:port".
};

// As status_answer(). kUnavailable: no gateway answers.
Result<Answer> ask_status(const StatusOptions& options);

}  // namespace rondel::cli
