// `rondel kms ...`: named keys that objects are encrypted under.
#pragma once

namespace CLI {
class App;
}

namespace rondel::cli {

// Adds the subcommands; their work runs in CLI callbacks, which set *status (0 or 1).
void add_kms_commands(CLI::App& app, int* status);

}  // namespace rondel::cli
