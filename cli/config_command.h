// `rondel config ...`: the settings of a cluster.
#pragma once

namespace CLI {
class App;
}

namespace rondel::cli {

void add_config_commands(CLI::App& app, int* status);

}  // namespace rondel::cli
