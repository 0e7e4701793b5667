// rondel-gateway: S3 in front of PostgreSQL and the storage nodes.
#include "common/program/program.h"
#include "gateway/main/gateway.h"
#include "gateway/main/settings.h"

int main(int argc, char** argv) {
  using namespace rondel::gateway;
  return rondel::program::run_program({"rondel-gateway", "S3 gateway of Rondel.", settings_schema(),
                                       check_settings, Gateway::start, check_files},
                                      argc, argv);
}
