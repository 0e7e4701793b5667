// A private PostgreSQL with the schema, one a test program, gone with it.
#pragma once

#include <string>

namespace rondel::metadata {

// The connection string. Starts the server at the first call; ends the program when it cannot.
const std::string& postgres_dsn();

// The master key the tests' accounts are sealed with.
std::string test_master_key();

}  // namespace rondel::metadata
