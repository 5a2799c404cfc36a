// Package log is one topic's log: events in wire form, appended once, and what a client that comes
// back may be told of them. It is pure: it has no lock, no clock and no stream.
//
//	log.go segment.go search.go
//	                         events, and their index
//	append.go trim.go        what comes and what goes
//	window.go                what is kept, for resumes and for streams that are behind
//	resume.go                where a client goes on: the one rule by which nothing is lost silently
//	rewritten.go untold.go   the same for histories that an upstream has rewritten
//	gap.go cause.go          missing events, as they are told
//	snapshot.go              a log as one pass over its readers sees it
//	state.go                 a log as bytes, and back
package log
