// The gateway's settings: one schema, read once at start.
#pragma once

#include "common/base/ip_range.h"
#include "common/config/config.h"
#include "common/grpc/credentials.h"
#include "common/ring/disk.h"

namespace rondel::gateway {

const config::Schema& settings_schema();

// What the types cannot say: a certificate without a key, an address without a port. Reads no file.
Result<void> check_settings(const config::Settings& settings);
// Reads what the settings name: the master key, certificates and keys. kInvalidArgument, in one
// line.
Result<void> check_files(const config::Settings& settings);

// The networks of that list; kInvalidArgument, naming the key: one of them is none.
Result<IpRangeSet> network_set(const config::Settings& settings, std::string_view key);
// Of calls between gateways and nodes.
rpc::TlsFiles tls_files(const config::Settings& settings);
// What replication.failure_domain says.
ring::FailureDomain failure_domain(const config::Settings& settings);

// The 32 bytes that seal secrets in the database.
Result<std::string> read_master_key(const config::Settings& settings);

}  // namespace rondel::gateway
