// Package feed is the state machine of one topic whose events come through Redis: it keeps the
// topic's log in step with its stream at the servers. Messages and elements of the stream come in;
// calls of the log, and readings of the stream, go out. It is pure: it has no connection, no
// goroutine, no lock and no clock.
//
// # States
//
//	Away      the channel is not subscribed: nothing is known of what is published
//	Catching  it is subscribed, and what was missed before is being read; messages are held
//	Live      the log has everything up to the event that came last
//
// An event that comes through the channel has the id of its predecessor. If that is the log's
// newest event, the event follows it and is appended. If it is a later one, something was missed,
// and if it is an earlier one, the servers have another history than the log. In either case the
// feed is in doubt: it is catching until its inquiry has ended.
//
// An inquiry reads the stream's end and then, as far as that is necessary, the last events to find
// where two histories part (apart.go), the events that follow the log (end.go), and the events
// before the log that streams have asked for (older.go). What cannot be had is told as a gap. A
// feed that is live and has no question has no inquiry, and takes 32 bytes.
//
// # Use
//
// A [Feed] is the state, and its owner has it under a lock. For each input the owner makes a
// [Machine] of it, with the [Log], the [Host] and the [Config], and calls one method:
//
//	Away, Subscribed, Migrating, Forget   what becomes of the subscription
//	Receive                               a message from the channel
//	Ask                                   a stream goes on from where the log does not reach
//	Published                             an event was stored that this edge has published
//	Next, then Take or Failed             what is to be read, and what was read
//	Wake                                  the time has come that Host.Later was for
//
// Outputs are calls of the log and of the host, made before the method returns. Neither may call
// back. [Machine.History] and the methods of [Config] do not touch the feed and need no lock.
//
// # Invariants
//
//   - A message is appended only behind its predecessor, or behind a gap that is told.
//   - A feed without an inquiry is live, or has never been subscribed.
//   - A feed with an inquiry that is not away is queued, or a reading of it is under way.
//   - An answer is not taken if the subscription was lost since it was asked for, or if another
//     answer has taken in the same events.
//   - What comes through the channel and is not in the stream (raw and unreadable messages) is
//     appended or told as missing.
//
// # Files
//
//	feed.go outside.go        the state; what a feed asks for outside of itself
//	subscription.go receive.go held.go
//	                          what comes from the channel
//	inquiry.go request.go     from a doubt to the next reading, its answer, and the end of the doubt
//	end.go apart.go older.go  what each reading shows
//	published.go              events that this edge has published, and that have not come
//	append.go                 what is put into the log
//	element.go ids.go history.go
//	                          elements of streams, what their ids prove, history as clients get it
//
// The simulation (sim_test.go) runs one feed on a server that trims, forgets and goes back to what
// it was, and compares what clients of the log get with what was published.
package feed
