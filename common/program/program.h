// A program that runs on its settings until a signal ends it: its flags, its signals, one line for
// what is wrong.
#pragma once

#include "common/config/config.h"
#include "common/program/service.h"

namespace rondel::program {

struct Program {
  const char* name;
  const char* title;
  const config::Schema& schema;
  Result<void> (*check)(const config::Settings&);
  StartService start;
  // Reads the files that settings name, as start() will.
  Result<void> (*check_files)(const config::Settings&);
};

// From here on this thread, and what it makes, interrupts nobody when it wakes: it waits until the
// running thread pauses. Many short requests then gather into batches instead of driving one
// another off the processor (docs/adr/0012). Does nothing where the system forbids it, or where
// whoever started the process chose another policy than the usual one.
void schedule_as_batch();

// Files that the process makes from here on, by whatever library, are for its user alone.
void keep_files_private();

// What main() returns; keeps files private; schedules as batch. Flags: --config, --set,
// --describe-settings, --check-settings,
// --check-files, --version. 2: wrong flags. No thread may have been made before.
int run_program(const Program& program, int argc, char** argv);

}  // namespace rondel::program
