#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "node/metrics/snapshot.h"

namespace muster::metrics {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_usec) / 1e6;
}

uint64_t FilesIn(const char* folder) {
  uint64_t files = 0;
  std::error_code error;
  std::filesystem::directory_iterator it(folder, error);
  for (; !error && it != end(it); it.increment(error)) ++files;
  return files;
}

}  // namespace

ProcessMeasures MeasureProcess() {
  ProcessMeasures measures;
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0;
  uint64_t resident = 0;
  statm >> pages >> resident;
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  measures.virtual_bytes = pages * page;
  measures.resident_bytes = resident * page;
  measures.open_files = FilesIn("/proc/self/fd");
  measures.threads = FilesIn("/proc/self/task");
  rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    measures.max_files = files.rlim_cur;
  }
  rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    measures.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  }
  return measures;
}

}  // namespace muster::metrics
