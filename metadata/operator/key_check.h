// Whether the keys that a program was given are those of the cluster that the database is of.
// Blocking: for the start of programs and for commands.
#pragma once

#include <string>

#include "common/base/result.h"

namespace rondel::metadata {

// The check value of a master key in a cluster: what check_master_key() leaves and looks for.
std::string master_key_check(const std::string& cluster_id, const std::string& master_key);

// The first that asks leaves a check value; no key can be had from it. kPrecondition, in one line:
// the cluster's secrets are sealed by another master key. kUnavailable, kDeadlineExceeded: the
// database does not answer.
Result<void> check_master_key(const std::string& dsn, const std::string& master_key);

// Of a key that is kept elsewhere: what was left by the first that asked, `mine` when there was
// nothing. Of several at once all are told the same.
Result<std::string> settle_key_check(const std::string& dsn, const std::string& name,
                                     const std::string& mine);
// What was left; empty: nothing.
Result<std::string> find_key_check(const std::string& dsn, const std::string& name);

}  // namespace rondel::metadata
