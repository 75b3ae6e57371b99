#include "muster/v1/presence.pb.h"
#include "node/codec/opaque_text.h"
#include "node/codec/ref_text.h"
#include "node/service/tokens.h"
#include "tests/fuzz/seeds.h"

namespace muster::fuzz {
namespace {

const std::string kToken(service::kTokenText, 'a');

std::string RefTextOf(uint64_t id, uint64_t seq) {
  return codec::RefText({7, crdt::ElementId(id), crdt::Seq(seq)});
}

template <class Message>
void FillOps(Message* message) {
  message->add_untrack(RefTextOf(3, 3));
  v1::UpdateOp* update = message->add_update();
  update->set_ref(RefTextOf(4, 9));
  update->set_meta("{}");
  message->add_update()->set_ref("no ref");
  for (const char* key : {"ann", "", "bob"}) {
    v1::TrackOp* track = message->add_track();
    track->set_topic("room");
    track->set_key(key);
    track->set_allow_duplicate(true);
  }
}

v1::ResumeRequest Resume() {
  v1::ResumeRequest resume;
  resume.set_token(kToken);
  resume.set_grace_ms(5000);
  resume.set_resume_number(3);
  v1::Entry* entry = resume.add_entries();
  entry->set_topic("room");
  entry->set_key("ann");
  entry->set_ref(RefTextOf(3, 5));
  return resume;
}

void AddStreamSeeds(std::vector<std::string>& seeds) {
  for (const char limits : {0, 2}) {
    const std::string one(1, limits);
    const std::string many(1, static_cast<char>(limits | 1));
    v1::SessionRequest request;
    request.set_number(1);
    request.mutable_open()->set_grace_ms(5000);
    seeds.push_back(one + request.SerializeAsString());
    FillOps(&request);
    seeds.push_back(one + request.SerializeAsString());
    *request.mutable_resume() = Resume();
    seeds.push_back(one + request.SerializeAsString());

    v1::SessionsRequest parts;
    parts.set_number(2);
    v1::SessionPart* open = parts.add_parts();
    open->set_slot(1);
    open->mutable_open()->set_epoch(4);
    FillOps(open);
    v1::SessionPart* resume = parts.add_parts();
    resume->set_slot(2);
    *resume->mutable_resume() = Resume();
    parts.add_parts()->set_close(true);
    seeds.push_back(many + parts.SerializeAsString());
  }
}

void AddBatchSeeds(std::vector<std::string>& seeds) {
  const auto add = [&seeds](char call, const auto& message) {
    for (const int limits : {0, 0x80}) {
      seeds.push_back(static_cast<char>(call | limits) +
                      message.SerializeAsString());
    }
  };
  v1::SessionPart ops;
  FillOps(&ops);
  v1::TrackRequest track;
  track.set_token(kToken);
  *track.mutable_ops() = ops.track();
  add(0, track);
  v1::UpdateRequest update;
  update.set_token(kToken);
  *update.mutable_ops() = ops.update();
  add(1, update);
  v1::UntrackRequest untrack;
  untrack.set_token(kToken);
  *untrack.mutable_refs() = ops.untrack();
  add(2, untrack);
  v1::HeartbeatRequest heartbeat;
  heartbeat.add_sessions()->set_token(kToken);
  heartbeat.add_sessions()->set_epoch(9);
  add(3, heartbeat);
  v1::OpenSessionRequest open;
  open.set_ttl_ms(5000);
  open.set_grace_ms(1000);
  add(4, open);
  add(5, Resume());
}

void AddReadSeeds(std::vector<std::string>& seeds) {
  const auto add = [&seeds](char call, const auto& message) {
    for (const int limits : {0, 0x80}) {
      seeds.push_back(static_cast<char>(call | limits) +
                      message.SerializeAsString());
    }
  };
  v1::ListRequest list;
  list.set_topic("room");
  list.set_page_size(2);
  list.set_page_token(codec::ListToken({1, service::HashText("room"), 3}));
  add(0, list);
  v1::TopicsRequest topics;
  topics.set_prefix("room");
  topics.set_page_token(codec::NameToken("room:1"));
  add(1, topics);
  v1::TopicsOfRequest topics_of;
  topics_of.set_key("ann");
  add(2, topics_of);
  v1::GetRequest get;
  get.set_topic("room");
  get.set_key("ann");
  add(3, get);
  add(4, get);
  v1::CountRequest count;
  count.set_topic("room");
  add(5, count);
  count.set_key("ann");
  add(5, count);
  v1::WatchRequest watch;
  watch.add_topics("room");
  watch.add_topics("hall");
  watch.set_interval_ms(500);
  watch.set_version(codec::VersionText({{1, 2}, 3, 4}));
  add(6, watch);
  watch.clear_topics();
  watch.clear_version();
  watch.set_prefix("ro");
  watch.set_counts_only(true);
  add(6, watch);
  watch.clear_prefix();
  watch.add_keys("ann");
  add(6, watch);
  watch.set_counts_only(false);
  watch.set_detail(v1::WATCH_DETAIL_KEYS);
  add(6, watch);
}

}  // namespace

void AddClientSeeds(Seeds& seeds) {
  AddStreamSeeds(seeds["session_request"]);
  AddBatchSeeds(seeds["batch_request"]);
  AddReadSeeds(seeds["read_request"]);
  seeds["opaque_text"] = {RefTextOf(3, 3),
                          RefTextOf(3, 0x1234),
                          codec::VersionText({{1, 2}, 3, 4}),
                          codec::ListToken({1, 2, 3}),
                          codec::NameToken("room:1"),
                          kToken};
  seeds["config"] = {
      "node = \"a\"\njoin = [\"10.0.0.2:7400\", \"b:7400\"]\n"
      "beat_interval_ms = 250\nphi_threshold = 8.5\n"
      "insecure_peers = true\n",
      "listen = \"127.0.0.1:7400\"\ncluster_secret = \"swordfish\"\n"
      "log_level = \"debug\"\njoin = \"c:1\"\n",
      "node = \"\"\n",
      "nodes = 1\n",
      "[peers]\na = 1\n",
      "join = [1, 2]\nnode = 1979-05-27\n",
      "beat_interval_ms = 1e9\n",
      "node = \"a\nb\"\n",
  };
}

}  // namespace muster::fuzz
