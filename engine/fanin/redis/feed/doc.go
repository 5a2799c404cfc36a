// Package feed is the state machine of one topic whose events come through Redis.
package feed
