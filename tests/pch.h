// What most tests include, precompiled where everything is built at once. A
// test includes what it uses all the same.
#ifndef MUSTER_TESTS_PCH_H_
#define MUSTER_TESTS_PCH_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#endif  // MUSTER_TESTS_PCH_H_
