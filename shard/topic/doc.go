// Package topic holds the topics of a node by name: a log each, and the listeners that are told of
// what is added to it.
//
//	table.go acquire.go    names → topics
//	clock.go publish.go    ids, and the events of this node alone
//	floor.go               what is known of topics that were forgotten
//	recency.go             the bounds of all history, and which goes first
//	topic.go               one topic: the listeners, where a stream begins
//	upstream.go doubt.go   topics whose events come from elsewhere; what only the upstream can say
//	state.go               a table as records, and back
//	verify.go              what tests and simulations ask
//
// A [Topic]'s log is guarded by its lock, held to append or to take a snapshot, never over a system
// call. Interest is announced before the log is looked at, and a dirty mark is cleared before: an
// event is either seen or announced again.
package topic
