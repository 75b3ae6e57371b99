#include "tests/sim/keyspace_model.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace muster::sim {
namespace {

using std::string;
using std::to_string;

constexpr int64_t kBase = 4;  // Of the powers that increments add.

uint64_t SeqOf(const KeyspaceModel::Context& context, int life) {
  const auto at = context.find(life);
  return at == context.end() ? 0 : at->second;
}

string Number(int process) { return "#" + to_string(process); }

}  // namespace

string ToString(const KeyspaceModel::Version& version) {
  return version.where + " of " + Number(version.life) + ":" +
         to_string(version.seq) + "." + to_string(version.index);
}

string ToString(const KeyspaceModel::Context& context) {
  string text = "{";
  for (const auto& [life, seq] : context) {
    if (text.size() > 1) text += " ";
    text += Number(life) + ":" + to_string(seq);
  }
  return text + "}";
}

bool KeyspaceModel::Mutations::IsCovered(const Context& context) const {
  return SeqOf(context, life) >= upto;
}
bool KeyspaceModel::Mutations::IsUnseen(const Context& context) const {
  return SeqOf(context, life) <= after;
}

bool KeyspaceModel::Put::IsGone(const Context& context) const {
  return gone_at.has_value() &&
         std::all_of(gone_at->begin(), gone_at->end(), [&](const auto& life) {
           return SeqOf(context, life.first) >= life.second;
         });
}

// --------------------------------------------------------------------- states

string KeyspaceModel::Holds(int process, State state) {
  State& before = states_[process];
  const uint64_t had = SeqOf(before.context, process);
  for (const Version& version : state.versions) {
    const auto put = puts_.find(version);
    if (put != puts_.end() && put->second.IsGone(state.context)) {
      return "K1: " + Number(process) + " holds " + ToString(version) +
             " again, which was gone when all was quiet";
    }
    if (put != puts_.end()) continue;
    if (FindBetween(version)) continue;
    if (version.life != process || version.seq <= had) {
      return "K1: " + Number(process) + " holds " + ToString(version) +
             ", which nobody put";
    }
    puts_.emplace(version, Put());
    ++puts_made_;
  }
  if (SeqOf(state.context, process) > had) NoteStep(process, before, state);
  before = std::move(state);
  return before.whole ? SameDigest(process, before) : "";
}

// One that a step put and removed, where another process is in between.
bool KeyspaceModel::FindBetween(const Version& version) {
  for (const Mutations& step : steps_[version.life]) {
    if (version.seq <= step.after || version.seq >= step.upto) continue;
    Removal removal;
    removal.by = {version.life, version.seq, step.upto};
    puts_[version].removals.push_back(removal);
    return true;
  }
  return false;
}

void KeyspaceModel::NoteStep(int process, const State& before,
                             const State& now) {
  Removal removal;
  removal.by = {process, SeqOf(before.context, process),
                SeqOf(now.context, process)};
  if (removal.by.upto - removal.by.after > 1) {
    steps_[process].push_back(removal.by);
  }
  Context others = before.context;
  others[process] = removal.by.upto;
  // In a step that also took something in, that may have removed it.
  removal.certain = others == now.context && before.whole;
  for (const Version& version : before.versions) {
    if (!now.versions.contains(version)) {
      puts_[version].removals.push_back(removal);
    }
  }
  if (removal.certain) return;
  // Nor was what it took in and removed at once there before.
  for (auto& [version, put] : puts_) {
    const bool taken_in = SeqOf(now.context, version.life) >= version.seq &&
                          SeqOf(before.context, version.life) < version.seq;
    if (taken_in && !now.versions.contains(version)) {
      put.removals.push_back(removal);
    }
  }
}

string KeyspaceModel::SameDigest(int process, const State& state) {
  const auto [at, first] = digests_.try_emplace(
      state.context_digest, std::pair(state.digest, process));
  if (first || at->second.first == state.digest) return "";
  return "K1: " + Number(process) + " has another digest than " +
         Number(at->second.second) + " had at the same context " +
         ToString(state.context);
}

KeyspaceModel::Fate KeyspaceModel::FateOf(const Put& put,
                                          const Context& context) {
  if (put.IsGone(context)) return Fate::kRemoved;
  Fate fate = put.gone_at.has_value() ? Fate::kEither : Fate::kHeld;
  for (const Removal& removal : put.removals) {
    if (removal.by.IsUnseen(context)) continue;
    if (removal.certain && removal.by.IsCovered(context)) {
      return Fate::kRemoved;
    }
    fate = Fate::kEither;
  }
  return fate;
}

string KeyspaceModel::Follows(int process) const {
  const State& state = states_.at(process);
  const string who =
      "K1: " + Number(process) + " at " + ToString(state.context);
  for (const auto& [version, put] : puts_) {
    const bool covered = SeqOf(state.context, version.life) >= version.seq;
    const bool held = state.versions.contains(version);
    if (!covered) {
      if (held)
        return who + " holds what it does not cover: " + ToString(version);
      continue;
    }
    const Fate fate = FateOf(put, state.context);
    if (fate == Fate::kHeld && !held) {
      return who + " has lost " + ToString(version) +
             ", which no mutation that it covers has removed";
    }
    if (fate == Fate::kRemoved && held) {
      const string by = put.removals.empty()
                            ? "was gone when all was quiet"
                            : Number(put.removals.front().by.life) + ":" +
                                  to_string(put.removals.front().by.upto) +
                                  " had removed";
      return who + " holds " + ToString(version) + " again, which " + by;
    }
  }
  return "";
}

// ------------------------------------------------------------------ who is
// gone

bool KeyspaceModel::AnyoneElseHas(int gone, const Mutations& mutations) const {
  return std::any_of(states_.begin(), states_.end(), [&](const auto& state) {
    return state.first != gone && !mutations.IsUnseen(state.second.context);
  });
}

// `excused` is set where all that is left of it goes with the process.
string KeyspaceModel::GoneWith(int gone, bool alone, const string& what,
                               const Mutations& by, bool acknowledged,
                               bool& excused) {
  const Context& context = states_.at(gone).context;
  if (excused || by.IsUnseen(context)) return "";
  const bool surely_elsewhere =
      std::any_of(states_.begin(), states_.end(), [&](const auto& state) {
        return state.first != gone && by.IsCovered(state.second.context);
      });
  if (surely_elsewhere) return "";
  if (alone && acknowledged && by.IsCovered(context) &&
      !AnyoneElseHas(gone, by)) {
    return "K2: " + what + " (" + Number(by.life) + ":" + to_string(by.upto) +
           ") was acknowledged, and goes with " + Number(gone) +
           ", where nothing else was wrong";
  }
  excused = true;
  if (acknowledged) ++excused_;
  return "";
}

string KeyspaceModel::Gone(int process, bool alone) {
  if (!states_.contains(process)) return "";
  for (auto& [name, effect] : effects_) {
    if (!effect.executed) continue;
    string lost = GoneWith(process, alone, name, effect.by, effect.acknowledged,
                           effect.excused);
    if (!lost.empty()) return lost;
  }
  for (auto& [version, put] : puts_) {
    for (Removal& removal : put.removals) {
      string lost =
          GoneWith(process, alone, "the removal of " + ToString(version),
                   removal.by, removal.acknowledged, removal.excused);
      if (!lost.empty()) return lost;
    }
  }
  states_.erase(process);
  acknowledged_.erase(process);
  return "";
}

// -------------------------------------------------------------------- effects

string KeyspaceModel::Executed(const string& effect, int life, uint64_t after,
                               uint64_t upto) {
  Effect& of = effects_[effect];
  if (of.refused) {
    return "K3: " + effect + " was refused, and is executed by " +
           Number(life) + ":" + to_string(upto);
  }
  if (!of.executed) {
    of.executed = true;
    of.by = {life, after, upto};
    return "";
  }
  const uint64_t first = std::max(of.by.after, after);
  const uint64_t last = std::min(of.by.upto, upto);
  if (of.by.life == life && first < last) {
    of.by = {life, first, last};
    return "";
  }
  return "K3: " + effect + " is executed twice: by " + Number(of.by.life) +
         ":" + to_string(of.by.upto) + " and by " + Number(life) + ":" +
         to_string(upto);
}

string KeyspaceModel::Executed(const string& effect, const Version& version) {
  effects_[effect].version = version;
  return Executed(effect, version.life, version.seq - 1, version.seq);
}

string KeyspaceModel::Refused(const string& effect) {
  Effect& of = effects_[effect];
  of.refused = true;
  if (!of.executed) return "";
  return "K3: " + effect + " is refused, and was executed by " +
         Number(of.by.life) + ":" + to_string(of.by.upto);
}

// It may have been put and removed in one step of a leader that nobody follows.
bool KeyspaceModel::MayBeHidden(Effect& effect) const {
  const bool many =
      std::any_of(steps_.begin(), steps_.end(),
                  [](const auto& steps) { return !steps.second.empty(); });
  effect.hidden = !effect.executed && (effect.hidden || many);
  return effect.hidden;
}

void KeyspaceModel::MayBeUndone(const string& effect) {
  Effect& of = effects_[effect];
  of.hidden = !of.executed;
}

string KeyspaceModel::Acknowledged(const string& effect, int process) {
  Effect& of = effects_[effect];
  if (MayBeHidden(of)) return "";
  of.acknowledged = true;
  if (!of.executed) return "K2: " + effect + " is acknowledged, not executed";
  const Context& here = states_.at(process).context;
  if (of.by.IsUnseen(here)) {
    return "K2: " + effect + " is acknowledged at " + Number(process) +
           ", which has not applied " + Number(of.by.life) + ":" +
           to_string(of.by.upto);
  }
  uint64_t& seen = acknowledged_[process][of.by.life];
  seen = std::max(seen, of.by.after + 1);
  return "";
}

string KeyspaceModel::Popped(const string& effect, int process) {
  Effect& of = effects_[effect];
  of.popped = true;
  if (MayBeHidden(of)) return "";
  if (!of.executed) return "K2: " + effect + " is popped, not pushed";
  const Context& here = states_.at(process).context;
  const auto put = puts_.find(of.version);
  if (put == puts_.end() || put->second.gone_at.has_value()) return "";
  bool removed = false;
  for (Removal& removal : put->second.removals) {
    if (removal.by.IsUnseen(here)) continue;
    removal.acknowledged = true;
    removed = true;
  }
  if (removed) return "";
  return "K2: " + effect + " is popped at " + Number(process) +
         ", which has applied no removal of it";
}

bool KeyspaceModel::WasPopped(const string& effect) const {
  const auto at = effects_.find(effect);
  return at != effects_.end() && at->second.popped;
}

bool KeyspaceModel::WasAcknowledged(const string& effect) const {
  const auto at = effects_.find(effect);
  return at != effects_.end() && at->second.acknowledged;
}

bool KeyspaceModel::WasExcused(const string& effect) const {
  const auto at = effects_.find(effect);
  return at != effects_.end() && at->second.excused;
}

uint64_t KeyspaceModel::UptoOf(int process, int life) const {
  return SeqOf(states_.at(process).context, life);
}

uint64_t KeyspaceModel::PlaceOf(const string& effect, int life) const {
  const auto at = effects_.find(effect);
  const bool is =
      at != effects_.end() && at->second.executed && at->second.by.life == life;
  return is ? at->second.by.upto : 0;
}

int KeyspaceModel::Holders(const string& effect) const {
  const auto at = effects_.find(effect);
  if (at == effects_.end() || at->second.hidden)
    return static_cast<int>(states_.size());
  return static_cast<int>(
      std::count_if(states_.begin(), states_.end(), [&](const auto& state) {
        return !at->second.by.IsUnseen(state.second.context);
      }));
}

KeyspaceModel::Context KeyspaceModel::AcknowledgedAt(int process) const {
  const auto at = acknowledged_.find(process);
  return at == acknowledged_.end() ? Context() : at->second;
}

// ---------------------------------------------------------------------- quiet

string KeyspaceModel::Settled(int process) {
  string wrong = Follows(process);
  if (!wrong.empty()) return wrong;
  const State& state = states_.at(process);
  for (const auto& [name, effect] : effects_) {
    if (!effect.acknowledged || effect.excused) continue;
    if (!effect.by.IsUnseen(state.context)) continue;
    return "K2: " + name + " (" + Number(effect.by.life) + ":" +
           to_string(effect.by.upto) +
           ") was acknowledged, and is seen nowhere: " +
           ToString(state.context);
  }
  for (const auto& [version, put] : puts_) {
    for (const Removal& removal : put.removals) {
      if (!removal.acknowledged || removal.excused) continue;
      if (!removal.by.IsUnseen(state.context)) continue;
      return "K2: the removal of " + ToString(version) +
             " was acknowledged, and is seen nowhere";
    }
  }
  // What is gone now is gone for good.
  for (auto& [version, put] : puts_) {
    const auto covered = SeqOf(state.context, version.life);
    const bool gone =
        covered >= version.seq && !state.versions.contains(version);
    if (gone && !put.gone_at.has_value()) put.gone_at = state.context;
  }
  digests_.clear();
  return "";
}

string KeyspaceModel::Counted(const string& key, int64_t sum,
                              const std::vector<string>& effects) {
  int64_t rest = sum;
  for (const string& name : effects) {
    const int64_t times = rest % kBase;
    rest /= kBase;
    const Effect& effect = effects_[name];
    const string what = "K4: " + name + " is " + to_string(times) +
                        " times in " + key + " = " + to_string(sum);
    if (times < 0 || times > 1) return what;
    if (times == 1 && !effect.executed) return what + ", and was not executed";
    if (times == 0 && effect.acknowledged && !effect.excused) {
      return what + ", and was acknowledged";
    }
  }
  return rest == 0 ? ""
                   : "K4: " + key + " = " + to_string(sum) +
                         " is more than was ever added";
}

}  // namespace muster::sim
