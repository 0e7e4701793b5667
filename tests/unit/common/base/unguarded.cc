// Does not compile: a test sees that the compiler says why.
#include "common/base/mutex.h"

namespace rondel {

class Unguarded {
 public:
  int count() { return count_; }

 private:
  Mutex mutex_;
  int count_ GUARDED_BY(mutex_) = 0;
};

int use(Unguarded& unguarded) { return unguarded.count(); }

}  // namespace rondel
