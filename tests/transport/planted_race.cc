// Two threads add to one number, and only what hands the task over, the loop's
// queue, orders them. ThreadSanitizer must say so: if it does not, its silence
// elsewhere means nothing.
#include <cstdio>
#include <future>

#include "node/runtime/loop.h"

int main() {
  muster::Loop loop;
  loop.Start();
  int number = 0;
  std::promise<void> done;
  loop.Post([&] {
    ++number;
    done.set_value();
  });
  ++number;
  done.get_future().wait();
  loop.Stop();
  std::printf("%d\n", number);
  return 0;
}
