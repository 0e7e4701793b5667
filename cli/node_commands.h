// `rondel node`: what an operator says of storage nodes.
#pragma once

namespace CLI {
class App;
}

namespace rondel::cli {

void add_node_commands(CLI::App& app, int* status);

}  // namespace rondel::cli
