// `rondel audit ...`: what operators changed.
#pragma once

namespace CLI {
class App;
}

namespace rondel::cli {

void add_audit_commands(CLI::App& app, int* status);

}  // namespace rondel::cli
