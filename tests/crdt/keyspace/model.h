// A keyspace that is obviously right: ordered maps of versions, joined as the
// rule says it, and shown by looking at everything. What the real one is
// compared with; it includes nothing of it.
#ifndef MUSTER_TESTS_CRDT_KEYSPACE_MODEL_H_
#define MUSTER_TESTS_CRDT_KEYSPACE_MODEL_H_

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace muster::kv_model {

using Dot = std::array<uint64_t, 3>;  // Life, seq, index.

struct Version {
  // value, count, member, score, place, birth, deadline
  char kind = 'v';
  Dot dot{};
  uint64_t stamp = 0;
  std::string bytes;
  uint64_t due = 0;
  int64_t number = 0;  // A sum or a score.
  Dot on{};
  std::tuple<Dot, char> id() const { return {dot, kind}; }
};
using Versions = std::vector<Version>;
// key, string, field, member, scored, item: 0 to 5, then a name or a dot.
using Element = std::tuple<int, std::string, Dot>;
using Key = std::map<Element, Versions>;

class Model {
 public:
  explicit Model(uint64_t life) : life_(life) {}

  // Commands as tests/crdt/keyspace/side.h has them, with the stamp of their
  // mutation, the time, and the places that new items got, by their index.
  void Run(const std::string& commands, uint64_t stamp, uint64_t now,
           const std::map<uint64_t, std::string>& places);
  void Join(const Model& other);

  std::string Shown(uint64_t now) const;
  std::string Held() const;

 private:
  friend class Shower;

  void RunOne(const std::vector<std::string>& words);
  void RunOnElement(const std::vector<std::string>& words);
  void RunOnList(const std::vector<std::string>& words);
  void RunOnRanks(const std::vector<std::string>& words);
  Version Make(char kind) const;
  void Open(const std::string& key, bool string);
  void RemoveDue(const std::string& key);
  void RemoveKey(const std::string& key);
  void RemoveElement(const std::string& key, const Element& element);
  void Increment(const std::string& key, const Element& element, int64_t by);
  void Transfer(const std::string& from, const std::string& to);
  void Settle(const std::string& key);
  bool Exists(const std::string& key) const;
  int TypeOf(const std::string& key) const;
  void Used(uint64_t width = 1) {
    index_ += width;
    any_ = true;
  }

  uint64_t life_;
  uint64_t seq_ = 0;
  std::map<std::string, Key> keys_;
  std::map<uint64_t, uint64_t> context_;
  // Of the mutation that is being made.
  uint64_t index_ = 0;
  uint64_t stamp_ = 0;
  uint64_t now_ = 0;
  bool any_ = false;
  std::map<uint64_t, std::string> places_;
};

}  // namespace muster::kv_model

#endif  // MUSTER_TESTS_CRDT_KEYSPACE_MODEL_H_
