// `rondel account ...`: accounts and their keys.
#pragma once

namespace CLI {
class App;
}

namespace rondel::cli {

// Adds the subcommands; their work runs in CLI callbacks, which set *status (0 or 1).
void add_account_commands(CLI::App& app, int* status);

}  // namespace rondel::cli
