// The page /admin/v1/settings of the operations listener: the settings that the process runs with.
#pragma once

#include "common/config/config.h"
#include "common/program/operations.h"

namespace rondel::program {

// {"program", "version", "commit", "settings": [{"name", "value", "source"}]}; no secrets.
OperationsPage settings_page(std::string program, const config::Settings& settings);

}  // namespace rondel::program
