// Secrets that came by the environment: taken out of it once, before anything is started that would
// inherit them or anybody could read them of /proc.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rondel::program {

// May a variable of that name hold a secret? Of ours by their names (RONDEL_ROOT_SECRET_KEY,
// RONDEL_METADATA_DSN), and of others those that are called a secret, a password or a token.
bool is_secret_variable(std::string_view name);

// Takes every RONDEL_* variable that may hold a secret out of the environment, and overwrites it
// where /proc/PID/environ shows it. Answers them, and so does secret() from then on. PGPASSWORD
// stays for libpq, but is no longer shown. Before any thread is made; once.
std::map<std::string, std::string> take_secrets();
// Of take_secrets(); empty: it was not there.
std::string secret(std::string_view name);

// What a child is to inherit: the environment ("NAME=value") without what may hold a secret.
std::vector<std::string> environment_for_children();

}  // namespace rondel::program
