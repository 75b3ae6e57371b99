#include "transport/peer/send_queue.h"

#include <gtest/gtest.h>

#include "tests/transport/fake_node.h"

namespace muster::peer {
namespace {

codec::EncodedFrame Text(const std::string& text) { return {text, nullptr}; }

TEST(SendQueueTest, ControlGoesFirstThenDeltasThenRebaseFramesInOrder) {
  SendQueue queue;
  queue.Push(FrameClass::kRebase, Text("r1"));
  queue.Push(FrameClass::kDelta, Text("d1"));
  queue.Push(FrameClass::kControl, Text("c1"));
  queue.Push(FrameClass::kRebase, Text("r2"));
  queue.Push(FrameClass::kControl, Text("c2"));
  queue.Push(FrameClass::kDelta, Text("d2"));
  std::string order;
  while (!queue.empty()) order += queue.Pop().head;
  EXPECT_EQ(order, "c1c2d1d2r1r2");
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST(SendQueueTest, WhatDoesNotFitChangesNothing) {
  SendQueue queue;
  EXPECT_TRUE(queue.Push(FrameClass::kDelta,
                         Text(std::string(SendQueue::kMaxBytes - 1, 'x'))));
  EXPECT_FALSE(queue.Push(FrameClass::kControl, Text("xx")));
  EXPECT_EQ(queue.bytes(), SendQueue::kMaxBytes - 1);
  EXPECT_TRUE(queue.Push(FrameClass::kControl, Text("x")));
}

TEST(SendQueueTest, DroppingBulkKeepsControl) {
  SendQueue queue;
  queue.Push(FrameClass::kDelta, Text("d"));
  queue.Push(FrameClass::kControl, Text("c"));
  queue.Push(FrameClass::kRebase, Text("r"));
  queue.DropBulk();
  EXPECT_EQ(queue.bytes(), 1u);
  EXPECT_EQ(queue.Pop().head, "c");
  EXPECT_TRUE(queue.empty());
}

TEST(SendQueueTest, ACheckpointDoesNotOvertakeTheDeltasItIsAbout) {
  EXPECT_EQ(ClassOf({1, core::CheckpointFrame{}}), FrameClass::kDelta);
  EXPECT_EQ(ClassOf(DeltaOf(1, 1)), FrameClass::kDelta);
  EXPECT_EQ(ClassOf(RebaseOf(1)), FrameClass::kRebase);
  EXPECT_EQ(ClassOf(AckOf(1)), FrameClass::kControl);
  EXPECT_EQ(ClassOf({1, core::LeavingFrame{}}), FrameClass::kControl);
}

}  // namespace
}  // namespace muster::peer
