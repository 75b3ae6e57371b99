#include "model.h"

#include <algorithm>
#include <set>
#include <sstream>

namespace muster::kv_model {
namespace {

using Words = std::vector<std::string>;

const Element kKey{0, "", {}};
const Element kString{1, "", {}};

std::string Text(const Dot& dot) {
  return std::to_string(dot[0]) + "." + std::to_string(dot[1]) + "." +
         std::to_string(dot[2]);
}

const Version* Latest(const Versions& versions, char kind) {
  const Version* latest = nullptr;
  for (const Version& v : versions) {
    if (v.kind != kind) continue;
    if (latest == nullptr ||
        std::tie(v.stamp, v.dot) > std::tie(latest->stamp, latest->dot)) {
      latest = &v;
    }
  }
  return latest;
}

bool Counts(const Version& v, const Version* root) {
  return v.kind == 'c' && (root == nullptr || v.on == root->dot);
}

std::string Value(const Versions& versions) {
  const Version* root = Latest(versions, 'v');
  int64_t sum = 0;
  bool counted = false;
  for (const Version& v : versions) {
    if (!Counts(v, root)) continue;
    sum += v.number;
    counted = true;
  }
  if (!counted) return root == nullptr ? "" : root->bytes;
  return std::to_string(sum + (root == nullptr ? 0 : std::stoll(root->bytes)));
}

bool IsShown(const Element& element, const Versions& versions) {
  const int kind = std::get<0>(element);
  if (kind == 0) return false;
  if (kind == 5) return Latest(versions, 'p') != nullptr;
  return !versions.empty();
}

Versions Of(const Key& key, const Element& element) {
  const auto at = key.find(element);
  return at == key.end() ? Versions() : at->second;
}

int Type(const Key& key) {
  std::pair<uint64_t, int> best{0, 0};
  for (const auto& [element, versions] : key) {
    if (!IsShown(element, versions)) continue;
    const Version* root = Latest(versions, 'v');
    uint64_t stamp = 0;
    for (const Version& v : versions) {
      if (v.kind != 'c' || Counts(v, root)) stamp = std::max(stamp, v.stamp);
    }
    best = std::max(best, {stamp, std::get<0>(element)});
  }
  return best.second;
}

Dot Anchor(const Key& key) {
  const Versions string = Type(key) == 1 ? Of(key, kString) : Versions();
  if (const Version* root = Latest(string, 'v')) return root->dot;
  const Versions births = Of(key, kKey);
  const Version* birth = Latest(births, 'b');
  return birth == nullptr ? Dot{} : birth->dot;
}

Versions DeadlinesOn(const Key& key, const Dot& anchor) {
  Versions on = Of(key, kKey);
  std::erase_if(
      on, [&](const Version& v) { return v.kind != 'd' || v.on != anchor; });
  return on;
}

uint64_t Due(const Key& key) {
  const Versions set = DeadlinesOn(key, Anchor(key));
  if (const Version* latest = Latest(set, 'd')) return latest->due;
  const Versions string = Type(key) == 1 ? Of(key, kString) : Versions();
  const Version* root = Latest(string, 'v');
  return root == nullptr ? 0 : root->due;
}

// The elements that the key shows, as it shows them.
std::vector<std::pair<Element, Versions>> Elements(const Key& key) {
  std::vector<std::pair<Element, Versions>> shown;
  const int type = Type(key);
  for (const auto& [element, versions] : key) {
    if (std::get<0>(element) == type && IsShown(element, versions)) {
      shown.emplace_back(element, versions);
    }
  }
  if (type < 4) return shown;
  std::sort(shown.begin(), shown.end(), [type](const auto& a, const auto& b) {
    const char kind = type == 4 ? 's' : 'p';
    const Version* p = Latest(a.second, kind);
    const Version* q = Latest(b.second, kind);
    return std::tie(p->number, p->bytes, a.first) <
           std::tie(q->number, q->bytes, b.first);
  });
  return shown;
}

std::string KeyText(const Key& key) {
  const int type = Type(key);
  std::string text;
  for (const auto& [element, versions] : Elements(key)) {
    if (!text.empty()) text += ", ";
    const std::string& name = std::get<1>(element);
    if (type == 2) text += name + ": ";
    if (type == 3) text += name;
    if (type == 4) {
      text += std::to_string(Latest(versions, 's')->number) + " " + name;
    }
    if (type == 1 || type == 2 || type == 5) text += Value(versions);
  }
  if (type == 2) text = "{" + text + "}";
  if (type == 3 || type == 4) text = "(" + text + ")";
  if (type == 5) text = "[" + text + "]";
  const uint64_t due = Due(key);
  return due == 0 ? text : text + " until " + std::to_string(due);
}

std::string Content(const Version& v) {
  const std::string number = std::to_string(v.number);
  switch (v.kind) {
    case 'v':
      return "value " + v.bytes + " " + std::to_string(v.due);
    case 'c':
      return "count " + number + " on " + Text(v.on);
    case 'm':
      return "member";
    case 's':
      return "score " + number;
    case 'p':
      return "place " + v.bytes;
    case 'b':
      return "birth";
    default:
      return "deadline " + std::to_string(v.due) + " on " + Text(v.on);
  }
}

std::vector<Words> Parsed(const std::string& commands) {
  std::vector<Words> parsed(1);
  std::string word;
  std::istringstream in(commands);
  for (char c : commands + " ") {
    if (c != ' ' && c != ';') {
      word += c;
      continue;
    }
    if (!word.empty()) parsed.back().push_back(word);
    word.clear();
    if (c == ';') parsed.emplace_back();
  }
  return parsed;
}

bool IsNumber(const std::string& text) {
  return !text.empty() && text.find_first_not_of("-0123456789") == text.npos;
}

}  // namespace

Version Model::Make(char kind) const {
  Version v;
  v.kind = kind;
  v.dot = {life_, seq_ + 1, index_};
  v.stamp = stamp_;
  return v;
}

int Model::TypeOf(const std::string& key) const {
  const auto at = keys_.find(key);
  if (at == keys_.end()) return 0;
  const uint64_t due = Due(at->second);
  return due != 0 && due <= now_ ? 0 : Type(at->second);
}

bool Model::Exists(const std::string& key) const { return TypeOf(key) != 0; }

void Model::RemoveKey(const std::string& key) {
  if (keys_.erase(key) > 0) Used();
}

void Model::RemoveDue(const std::string& key) {
  const auto at = keys_.find(key);
  if (at == keys_.end()) return;
  const uint64_t due = Due(at->second);
  if (due != 0 && due <= now_) RemoveKey(key);
}

void Model::Open(const std::string& key, bool string) {
  Key& k = keys_[key];
  const Versions births = k[kKey];
  if (Latest(births, 'b') == nullptr &&
      !(string && Latest(Of(k, kString), 'v') != nullptr)) {
    k[kKey].push_back(Make('b'));
  }
  if (k[kKey].empty()) k.erase(kKey);
}

void Model::RemoveElement(const std::string& key, const Element& element) {
  keys_[key].erase(element);
  Used();
  for (const auto& [other, versions] : keys_[key]) {
    if (std::get<0>(other) == std::get<0>(element) &&
        IsShown(other, versions)) {
      return;
    }
  }
  if (keys_[key].empty()) {
    keys_.erase(key);
  } else {
    RemoveKey(key);
  }
}

void Model::Increment(const std::string& key, const Element& element,
                      int64_t by) {
  RemoveDue(key);
  const Version* root = nullptr;
  const Versions before = Of(keys_[key], element);
  root = Latest(before, 'v');
  Version count = Make('c');
  count.number = by;
  if (root != nullptr) count.on = root->dot;
  Versions after;
  for (const Version& v : before) {
    if (v.kind == 'c' && v.dot[0] == life_) {
      if (Counts(v, root)) count.number += v.number;
    } else {
      after.push_back(v);
    }
  }
  Open(key, element == kString);
  after.push_back(count);
  keys_[key][element] = after;
  Used();
}

void Model::Transfer(const std::string& from, const std::string& to) {
  const Key source = keys_[from];
  Key made;
  const int type = Type(source);
  const uint64_t due = Due(source);
  if (type > 1) {
    made[kKey].push_back(Make('b'));
    if (due != 0) {
      Version deadline = Make('d');
      deadline.due = due;
      deadline.on = deadline.dot;
      made[kKey].push_back(deadline);
    }
  }
  uint64_t width = 0;
  for (const auto& [element, versions] : Elements(source)) {
    Version v = Make('v');
    Element name = element;
    if (type == 1) v.due = due;
    if (type == 3) v.kind = 'm';
    if (type == 4) {
      v.kind = 's';
      v.number = Latest(versions, 's')->number;
    }
    if (type == 1 || type == 2 || type == 5) v.bytes = Value(versions);
    if (type == 5) {
      v.dot[2] += width++;
      name = {5, "", v.dot};
      Version place = v;
      place.kind = 'p';
      place.bytes = Latest(versions, 'p')->bytes;
      made[name].push_back(place);
    }
    made[name].push_back(v);
  }
  keys_[to] = made;
  Used(std::max<uint64_t>(width, 1));
}

void Model::Settle(const std::string& key) {
  const auto at = keys_.find(key);
  if (at == keys_.end()) return;
  Used();
  const Key before = at->second;
  const int type = Type(before);
  const Dot anchor = Anchor(before);
  Key after;
  for (const auto& [element, versions] : Elements(before)) {
    const Version* root = Latest(versions, 'v');
    for (const Version& v : versions) {
      const Version* latest =
          v.kind == 'c' ? nullptr : Latest(versions, v.kind);
      if (&v == latest || Counts(v, root)) after[element].push_back(v);
    }
  }
  for (const Version& v : Of(before, kKey)) {
    const Versions on = DeadlinesOn(before, anchor);
    const Version* deadline = Latest(on, 'd');
    if ((v.kind == 'b' && v.dot == anchor) ||
        (deadline != nullptr && v.id() == deadline->id())) {
      after[kKey].push_back(v);
    }
  }
  if (type == 0) after.erase(kString);
  if (after.empty()) {
    keys_.erase(key);
  } else {
    keys_[key] = after;
  }
}

void Model::RunOnElement(const Words& w) {
  const std::string& name = w[0];
  const std::string& key = w[1];
  const std::map<std::string, int> types = {
      {"HSET", 2}, {"HDEL", 2}, {"HINCRBY", 2}, {"SADD", 3},
      {"SREM", 3}, {"ZADD", 4}, {"ZREM", 4}};
  const auto type = types.find(name);
  if (type == types.end()) return;
  const Element element{type->second, name == "ZADD" ? w[3] : w[2], {}};
  if (Exists(key) && TypeOf(key) != type->second) return;
  if (name == "HDEL" || name == "SREM" || name == "ZREM") {
    if (Exists(key) && keys_[key].count(element) > 0) {
      RemoveElement(key, element);
    }
    return;
  }
  if (name == "HINCRBY") {
    if (Exists(key) && keys_[key].count(element) > 0 &&
        !IsNumber(Value(keys_[key][element]))) {
      return;
    }
    return Increment(key, element, std::stoll(w[3]));
  }
  RemoveDue(key);
  Open(key, false);
  Version v = Make(name == "HSET" ? 'v' : name == "SADD" ? 'm' : 's');
  if (name == "HSET") v.bytes = w[3];
  if (name == "ZADD") v.number = std::stoll(w[2]);
  keys_[key][element] = {v};
  Used();
}

void Model::RunOnList(const Words& w) {
  const std::string& name = w[0];
  const std::string& key = w[1];
  const bool push = name == "RPUSH" || name == "LPUSH";
  const bool insert = name == "LINSERT";
  if (!push && !insert && name != "LPOP" && name != "RPOP" && name != "LSET") {
    return;
  }
  if (Exists(key) ? TypeOf(key) != 5 : !push) return;
  const auto items = Exists(key) ? Elements(keys_[key])
                                 : std::vector<std::pair<Element, Versions>>();
  if (insert && std::stoull(w[3]) >= items.size()) return;
  if (push || insert) {
    RemoveDue(key);
    Open(key, false);
    for (size_t i = insert ? 4 : 2; i < w.size(); ++i) {
      Version place = Make('p');
      place.bytes = places_[index_];
      Version value = Make('v');
      value.bytes = w[i];
      keys_[key][{5, "", place.dot}] = {place, value};
      Used();
    }
  } else if (name == "LSET") {
    if (std::stoull(w[2]) >= items.size()) return;
    Versions& versions = keys_[key][items[std::stoull(w[2])].first];
    std::erase_if(versions, [](const Version& v) { return v.kind == 'v'; });
    versions.push_back(Make('v'));
    versions.back().bytes = w[3];
    Used();
  } else {
    RemoveElement(key,
                  name == "LPOP" ? items.front().first : items.back().first);
  }
}

void Model::RunOnRanks(const Words& w) {
  const int type = w[0] == "LCUT" ? 5 : w[0] == "ZCUT" ? 4 : 0;
  const std::string& key = w[1];
  if (type == 0 || TypeOf(key) != type) return;
  const auto elements = Elements(keys_[key]);
  const size_t first = std::stoull(w[2]);
  if (first >= elements.size()) return;
  const size_t count =
      std::min<size_t>(std::stoull(w[3]), elements.size() - first);
  if (count == 0) return;
  if (count == elements.size()) return RemoveKey(key);
  for (size_t i = first; i < first + count; ++i) {
    keys_[key].erase(elements[i].first);
  }
  Used();
}

void Model::RunOne(const Words& w) {
  const std::string& name = w[0];
  if (name == "FLUSH") {
    if (!keys_.empty()) Used();
    keys_.clear();
    return;
  }
  const std::string& key = w[1];
  if (name == "SET") {
    Version v = Make('v');
    v.bytes = w[2];
    if (w.size() > 3) v.due = std::stoull(w[4]);
    keys_[key] = {{kString, {v}}};
    Used();
  } else if (name == "INCRBY") {
    if (Exists(key) &&
        (TypeOf(key) != 1 || !IsNumber(Value(Of(keys_[key], kString))))) {
      return;
    }
    Increment(key, kString, std::stoll(w[2]));
  } else if (name == "DEL") {
    RemoveKey(key);
  } else if (name == "EXPIREAT" || name == "PERSIST") {
    if (!Exists(key)) return;
    Version v = Make('d');
    v.due = name == "PERSIST" ? 0 : std::stoull(w[2]);
    v.on = Anchor(keys_[key]);
    Versions& versions = keys_[key][kKey];
    std::erase_if(versions, [](const Version& v) { return v.kind == 'd'; });
    versions.push_back(v);
    Used();
  } else if (name == "RENAME" || name == "COPY") {
    if (!Exists(key)) return;
    Transfer(key, w[2]);
    if (name == "RENAME") keys_.erase(key);
  } else if (name == "SETTLE") {
    Settle(key);
  } else {
    RunOnElement(w);
    RunOnList(w);
    RunOnRanks(w);
  }
}

void Model::Run(const std::string& commands, uint64_t stamp, uint64_t now,
                const std::map<uint64_t, std::string>& places) {
  index_ = 0;
  stamp_ = stamp;
  now_ = now;
  any_ = false;
  places_ = places;
  for (const Words& words : Parsed(commands)) RunOne(words);
  // Looking at a key must not have made one.
  std::erase_if(keys_, [](const auto& key) { return key.second.empty(); });
  if (any_) context_[life_] = ++seq_;
}

void Model::Join(const Model& other) {
  using Ids = std::set<std::tuple<Dot, char>>;
  const auto ids = [](const Versions& versions) {
    Ids ids;
    for (const Version& v : versions) ids.insert(v.id());
    return ids;
  };
  const auto covers = [](const std::map<uint64_t, uint64_t>& context,
                         const Version& v) {
    const auto at = context.find(v.dot[0]);
    return at != context.end() && at->second >= v.dot[1];
  };
  std::map<std::string, Key> joined;
  const auto keep = [&](const Model& from, const Model& against) {
    for (const auto& [key, elements] : from.keys_) {
      for (const auto& [element, versions] : elements) {
        const auto at = against.keys_.find(key);
        const Ids held =
            at == against.keys_.end() ? Ids() : ids(Of(at->second, element));
        for (const Version& v : versions) {
          Versions& kept = joined[key][element];
          if (held.count(v.id()) == 0 ? covers(against.context_, v)
                                      : ids(kept).count(v.id()) > 0) {
            continue;
          }
          kept.push_back(v);
        }
      }
    }
  };
  keep(*this, other);
  keep(other, *this);
  for (auto& [key, elements] : joined) {
    std::erase_if(elements, [](const auto& e) { return e.second.empty(); });
  }
  std::erase_if(joined, [](const auto& key) { return key.second.empty(); });
  keys_ = joined;
  for (const auto& [life, seq] : other.context_) {
    context_[life] = std::max(context_[life], seq);
  }
}

std::string Model::Shown(uint64_t now) const {
  std::string text;
  for (const auto& [name, key] : keys_) {
    const uint64_t due = Due(key);
    if (Type(key) == 0 || (due != 0 && due <= now)) continue;
    text += name + " = " + KeyText(key) + "\n";
  }
  return text;
}

std::string Model::Held() const {
  std::vector<std::string> lines;
  for (const auto& [name, key] : keys_) {
    for (const auto& [element, versions] : key) {
      const auto& [kind, text, item] = element;
      for (const Version& v : versions) {
        lines.push_back(name + " " + std::to_string(kind) + " " + text + " " +
                        Text(item) + " | " + Text(v.dot) + " " +
                        std::to_string(v.stamp) + " " + Content(v));
      }
    }
  }
  std::sort(lines.begin(), lines.end());
  std::string held;
  for (const std::string& line : lines) {
    held += (held.empty() ? "" : "\n") + line;
  }
  return held;
}

}  // namespace muster::kv_model
