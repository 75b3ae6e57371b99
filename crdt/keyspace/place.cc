#include "crdt/keyspace/place.h"

#include <xxhash.h>

#include <cstdint>
#include <limits>

namespace muster::kv {
namespace {

// The first byte of an integer: kZero + n for one of n bytes from 0 on,
// kZero - 1 - n for one of n bytes below.
constexpr uint8_t kZero = 0x80;
constexpr int kMaxIntegerBytes = 8;

uint8_t ByteAt(absl::string_view bytes, size_t i) {
  return static_cast<uint8_t>(bytes[i]);
}

size_t IntegerBytes(absl::string_view place) {
  const uint8_t first = ByteAt(place, 0);
  return first >= kZero ? first - kZero : kZero - 1 - first;
}

void AppendInteger(int64_t number, std::string& out) {
  const bool below = number < 0;
  const uint64_t size = static_cast<uint64_t>(below ? ~number : number);
  int bytes = 0;
  while (bytes < kMaxIntegerBytes && size >> (8 * bytes) != 0) ++bytes;
  out.push_back(static_cast<char>(below ? kZero - 1 - bytes : kZero + bytes));
  for (int i = bytes - 1; i >= 0; --i) {
    const auto byte = static_cast<uint8_t>(size >> (8 * i));
    out.push_back(static_cast<char>(below ? ~byte : byte));
  }
}

int64_t IntegerOf(absl::string_view place) {
  const bool below = ByteAt(place, 0) < kZero;
  uint64_t size = 0;
  for (size_t i = 1; i <= IntegerBytes(place); ++i) {
    const uint8_t byte = ByteAt(place, i);
    size = size << 8 | static_cast<uint8_t>(below ? ~byte : byte);
  }
  return static_cast<int64_t>(below ? ~size : size);
}

std::string PlaceAt(int64_t number, const LifeId& pusher) {
  const uint64_t parts[] = {pusher.hi, pusher.lo};
  const uint64_t hash = XXH3_64bits(parts, sizeof(parts));
  std::string place;
  AppendInteger(number, place);
  place.push_back(static_cast<char>(hash % 255 + 1));
  place.push_back(static_cast<char>((hash >> 32) % 255 + 1));
  return place;
}

}  // namespace

std::string FirstPlace(const LifeId& pusher) { return PlaceAt(0, pusher); }

std::string PlaceBehind(absl::string_view place, const LifeId& pusher) {
  const int64_t number = IntegerOf(place);
  if (number == std::numeric_limits<int64_t>::max()) {
    return PlaceBetween(place, place);
  }
  return PlaceAt(number + 1, pusher);
}

std::string PlaceBefore(absl::string_view place, const LifeId& pusher) {
  const int64_t number = IntegerOf(place);
  // A list has no room before the least integer; its places tie there.
  if (number == std::numeric_limits<int64_t>::min()) {
    return PlaceAt(number, pusher);
  }
  return PlaceAt(number - 1, pusher);
}

std::string PlaceBetween(absl::string_view a, absl::string_view b) {
  std::string between(a);
  const bool fraction = a.size() > 1 + IntegerBytes(a);
  if (fraction && ByteAt(a, a.size() - 1) < 0xff) {
    between.back() = static_cast<char>(between.back() + 1);
    if (between < b) return between;
    between = std::string(a);
  }
  between.push_back(static_cast<char>(0x80));
  if (a >= b || between < b) return between;
  // `a` is the beginning of `b`: halve the first byte behind it that is not 0.
  between.pop_back();
  size_t i = a.size();
  for (; i < b.size() && b[i] == 0; ++i) between.push_back(0);
  const uint8_t byte = i < b.size() ? ByteAt(b, i) : 1;
  if (byte == 1) between.push_back(0);
  between.push_back(static_cast<char>(byte == 1 ? 0x80 : byte / 2));
  return between;
}

bool IsPlace(absl::string_view bytes) {
  if (bytes.empty() || bytes.size() > kMaxPlaceBytes) return false;
  const uint8_t first = ByteAt(bytes, 0);
  if (first > kZero + kMaxIntegerBytes ||
      first < kZero - 1 - kMaxIntegerBytes) {
    return false;
  }
  const size_t head = 1 + IntegerBytes(bytes);
  if (bytes.size() < head) return false;
  std::string shortest;
  AppendInteger(IntegerOf(bytes), shortest);
  if (bytes.substr(0, head) != shortest) return false;
  return bytes.size() == head || bytes.back() != 0;
}

}  // namespace muster::kv
