// Package rule says what a topic's name, an event's name, data, an idempotency key and a
// reconnection time may be. No other package does. HTTP in its three forms, the command line, the
// publish script in Redis and events from the channels of Redis are all held to it, and tested with
// the table of cases in [ssedge/proto/rule/ruletest].
//
// [Limits] has the bounds, which are settings. The publish script is Lua and cannot call this
// package; it is made with the words of [Limits.Expected], so that a refusal reads the same
// everywhere.
//
// Everything here is safe from any goroutine and keeps nothing of its input. Valid input costs no
// allocation.
package rule
