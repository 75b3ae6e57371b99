// A transaction: the ops of one command, MULTI or script, as they are made.
//
//   Transaction tx(state, {base, me, seq}, stamp, now);
//   KeyView list = tx.Find({0, "l"});
//   tx.Push({0, "l"}, Transaction::End::kBack, {"a", "b"});
//   tx.Find({0, "l"}).size();    // two more
//   std::string mutation = tx.Commit();
//
// Each call makes one op and applies it at once, so Find shows the state under
// the ops made so far; Abandon undoes them. What a handler need not think of
// is done here: a key that is due is removed before it is written, a new key
// gets its birth, a key whose last element went is removed. Calls say what to
// do, not whether Redis would: types and limits are the handler's.
//
// One transaction at a time of a state, and nothing else changes it meanwhile.
// A KeyView ends with the next op.
// Cost: that of the ops; for Abandon, what they replaced is held until the end.
// No allocation in the common case but of the mutation.
#ifndef MUSTER_CRDT_KEYSPACE_TRANSACTION_H_
#define MUSTER_CRDT_KEYSPACE_TRANSACTION_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "crdt/keyspace/context.h"
#include "crdt/keyspace/keyspace.h"
#include "crdt/keyspace/op.h"
#include "crdt/keyspace/types.h"
#include "crdt/keyspace/view.h"

namespace muster::kv {

class Transaction {
 public:
  enum class End : uint8_t { kFront, kBack };
  enum class Side : uint8_t { kBefore, kAfter };

  // `seen.seq` is the seq that the mutation will have.
  Transaction(Keyspace& state, const Seen& seen, Stamp stamp, Time now);
  // Abandons what was not committed.
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  KeyView Find(const KeyName& key) const { return state_.Find(key, now_); }
  const Keyspace& state() const { return state_; }
  Time now() const { return now_; }
  const LifeId& leader() const { return seen_.leader; }

  // -- Strings. Replaces the key, whatever it held; without a deadline of its
  // own it has none (KEEPTTL: pass that of the view).
  void PutString(const KeyName& key, absl::string_view value, Deadline due);
  // REQUIRES: the key is absent, or Integer() of it plus `by` is an int64.
  void Increment(const KeyName& key, int64_t by);

  // -- Hashes. IncrementField as Increment.
  void PutField(const KeyName& key, absl::string_view field,
                absl::string_view value);
  void IncrementField(const KeyName& key, absl::string_view field, int64_t by);

  // -- Sets and sorted sets.
  void AddMember(const KeyName& key, absl::string_view member);
  // REQUIRES: the score is a number.
  void PutScore(const KeyName& key, absl::string_view member, double score);

  // A field, a member or a scored member, by the type of the key. Nothing if
  // there is none.
  void Remove(const KeyName& key, absl::string_view name);

  // So many items of a list, or members of a sorted set, from a rank on; one op
  // however many. REQUIRES: there are as many.
  void RemoveRanks(const KeyName& key, uint64_t first, uint64_t count);

  // -- Lists. In the order given, each next to the one before: at the front
  // the last value is first.
  void Push(const KeyName& key, End end,
            absl::Span<const absl::string_view> values);
  // False: the place would be longer than kMaxPlaceBytes; nothing was made.
  // REQUIRES: rank < size().
  bool Insert(const KeyName& key, uint64_t rank, Side side,
              absl::string_view value);
  // `item` is Entry::item.
  void SetItem(const KeyName& key, const Dot& item, absl::string_view value);
  void RemoveItem(const KeyName& key, const Dot& item);

  // -- Keys. Nothing if there is none.
  // Without one set: PERSIST.
  void SetDeadline(const KeyName& key, Deadline due);
  void RemoveKey(const KeyName& key);
  // Replaces `to`. REQUIRES, of both: from and to differ.
  void Move(const KeyName& from, const KeyName& to);
  void Copy(const KeyName& from, const KeyName& to);
  void Flush(uint8_t db);
  // Removes what the key holds and does not show.
  void Settle(const KeyName& key);

  // How large the mutation would be, at most, and how many ops it has.
  size_t bytes() const { return writer_.bytes(); }
  uint32_t ops() const { return writer_.ops(); }
  bool empty() const { return writer_.empty(); }

  // The mutation; the state covers it. Without ops: empty, and nothing is
  // covered: no seq was used.
  std::string Commit();
  // The same, appended. False: there was none.
  bool Commit(std::string& out);
  // The state is as it was.
  void Abandon();

 private:
  // Removes a key that is due.
  void Prepare(const KeyName& key);
  // For what adds an element to a key of the type: prepared, and it opens the
  // key if that has no birth.
  Op Opening(Op::Kind kind, const KeyName& key, ElementKind element);
  void Make(Op& op);
  void MakePush(const KeyName& key, absl::string_view place, bool front,
                absl::Span<const absl::string_view> values);
  void MakeTransfer(Op::Kind kind, const KeyName& from, const KeyName& to);
  void RemoveIfEmpty(const KeyName& key, ElementKind element);
  bool Exists(const KeyName& key) const;
  // Whether this life's count on the element stays an int64.
  bool CountFits(const KeyName& key, const ElementName& element,
                 int64_t by) const;

  Keyspace& state_;
  Seen seen_;
  Time now_;
  MutationWriter writer_;
  bool open_ = true;
};

}  // namespace muster::kv

#endif  // MUSTER_CRDT_KEYSPACE_TRANSACTION_H_
