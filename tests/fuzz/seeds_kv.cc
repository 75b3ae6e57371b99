// Calls on keys as clients make them.
#include <google/protobuf/message.h>

#include "muster/v1/kv.pb.h"
#include "node/codec/kv_codec.h"
#include "node/service/kv_typed.h"
#include "tests/fuzz/seeds.h"

namespace muster::fuzz {
namespace {

v1::KvExecuteRequest Execute() {
  v1::KvExecuteRequest request;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"SET", "k", "v"}, {"BLPOP", "l", "0"}}) {
    request.add_commands()->mutable_args()->Add(words.begin(), words.end());
  }
  request.set_atomic(true);
  v1::KvWatched* watched = request.add_watched();
  watched->set_key("w");
  watched->set_version(77);
  request.mutable_options()->set_db(3);
  v1::KvPosition* position = request.mutable_options()->mutable_min_position();
  position->set_term(2);
  position->set_leader(codec::LifeIdBytes({1, 2}));
  position->set_seq(5);
  return request;
}

}  // namespace

void AddKvSeeds(Seeds& seeds) {
  std::vector<std::string>& all = seeds["kv_request"];
  const auto add = [&all](char call, char which,
                          const google::protobuf::Message& message) {
    for (const int limits : {0, 0x80}) {
      all.push_back(std::string{static_cast<char>(call | limits), which} +
                    message.SerializeAsString());
    }
  };
  v1::KvExecuteRequest execute = Execute();
  add(0, 0, execute);
  v1::KvRequest request;
  request.set_number(9);
  *request.mutable_execute() = execute;
  add(1, 0, request);
  v1::KvVersionsRequest versions;
  versions.set_db(1);
  versions.add_keys("k");
  add(2, 0, versions);
  v1::KvExplainRequest explain;
  explain.set_key("k");
  explain.set_limit(10);
  add(3, 0, explain);
  // The numbers of its fields are those of the others, too.
  v1::KvHIncrByExRequest typed;
  typed.set_key("k");
  typed.set_field("f");
  typed.set_increment(-1);
  typed.set_seconds(5);
  *typed.mutable_options() = execute.options();
  for (size_t i = 0; i < service::KvTypedCalls().size(); ++i) {
    add(4, static_cast<char>(i), typed);
  }
}

}  // namespace muster::fuzz
