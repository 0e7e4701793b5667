// rondel-node: the disks of one machine, served to gateways and peers.
#include "common/program/program.h"
#include "storage-node/main/node.h"
#include "storage-node/main/settings.h"

int main(int argc, char** argv) {
  using namespace rondel::node;
  return rondel::program::run_program({"rondel-node", "Storage node of Rondel.", settings_schema(),
                                       check_settings, Node::start, check_files},
                                      argc, argv);
}
