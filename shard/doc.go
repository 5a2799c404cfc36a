// Package shard holds streams, and brings the events of topics to them.
//
// A topic (package topic) is a log (package log): events in wire form, appended once. A subscriber
// is a cursor: a position in that log. Delivery is sending the bytes between the cursor and the
// head. There is no queue per connection, so a slow reader costs what an idle one does, history and
// live delivery are the same code, and a stream that is k events behind gets them in one send.
//
// # Ownership
//
// Topics are shared. Bytes once in a log do not change and are not reused, so a snapshot is read
// without a lock.
//
// Streams belong to a [Shard], one goroutine with its own epoll set, and no other
// goroutine touches them. Other goroutines reach it through its inbox: connections
// that join, topics that have become dirty, calls.
//
//	loop    shard.go inbox.go group.go stop.go pulse.go     turns; the way in from other goroutines
//	        clock.go budget.go                              ticks; what a turn may spend
//	place   slot.go state.go bundle.go subscribe.go join.go what there is per stream and topic
//	begin   greet.go admit.go open.go opening.go head.go    a connection becomes a stream
//	        poll.go                                         one that ends with its first answer
//	        wait.go begin.go older.go                       streams that wait for an upstream
//	owed    fanout.go queue.go catchup.go gap.go reading.go what a stream lacks of its topics
//	sent    put.go units.go batch.go framing.go send.go     how that goes out (ARCHITECTURE.md)
//	        answer.go                                       or, to a poll, in one piece
//	        outbox.go block.go unblock.go                   what a full socket has not taken
//	ends    arm.go beat.go stall.go drain.go close.go reason.go
//	        stats.go                                        counts
//
// Calls go one way through these files: none calls back into a file that it is called from.
//
// # What is always true
//
//   - A cursor stands between events. Where the kernel took half of one, the other
//     half is kept aside (outbox.go) and goes first.
//   - Interest is announced before the log is looked at, and a dirty mark is
//     cleared before: an event is either seen or announced again.
//   - A pass meets every subscriber exactly once, whichever of them leave in its
//     middle (state.remove).
//   - An event of epoll names slot and generation: one that is about an earlier
//     stream of the slot, or of the descriptor, is dropped.
//   - What cannot be delivered is told (gap.go) or ends the stream with a reason.
package shard
