// Checks the fields of one foreign message and keeps the first fault.
//
//   FieldCheck check;
//   check.Number({"delta", -1, "count"}, delta.count(), 1, kMax);
//   if (!check.ok()) return check.status();  // "delta.count: 0; 1 to ..."
//
// A check costs a comparison; only a fault makes text.
#ifndef MUSTER_NODE_CODEC_FIELD_CHECK_H_
#define MUSTER_NODE_CODEC_FIELD_CHECK_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace muster::codec {

// `message.name`, or `message[index].name`.
struct Field {
  const char* message;
  int index;  // -1: not in a list.
  const char* name;
};

class FieldCheck {
 public:
  bool ok() const { return status_.ok(); }
  const absl::Status& status() const { return status_; }

  void Number(Field field, uint64_t value, uint64_t min, uint64_t max) {
    if (ok() && (value < min || value > max)) BadNumber(field, value, min, max);
  }
  // Bytes, at least `min` and at most `max` of them.
  void Size(Field field, size_t size, size_t min, size_t max) {
    if (ok() && (size < min || size > max)) BadSize(field, size, min, max);
  }
  // Valid UTF-8 without control characters.
  void Text(Field field, absl::string_view text, size_t min, size_t max);
  void Address(Field field, absl::string_view address);
  void Life(Field field, uint64_t hi, uint64_t lo) {
    if (hi == 0 && lo == 0) Require(field, false, "must not be zero");
  }
  void Require(Field field, bool holds, absl::string_view rule) {
    if (ok() && !holds) Fail(field, rule);
  }

 private:
  void BadNumber(Field field, uint64_t value, uint64_t min, uint64_t max);
  void BadSize(Field field, size_t size, size_t min, size_t max);
  void Fail(Field field, absl::string_view rule);

  absl::Status status_;
};

}  // namespace muster::codec

#endif  // MUSTER_NODE_CODEC_FIELD_CHECK_H_
