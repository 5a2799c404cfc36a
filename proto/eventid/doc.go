// Package eventid is the text of resumption: how an event is named, how a
// subscriber's place in a topic is written, and how the places of a stream that
// carries several topics fit into one id: line.
//
// # The three texts
//
//	ID        1753000000123-0              an event
//	Position  1753000000123-0              right after that event
//	          1753000000123                a point in time
//	Vector    1.1z141z3.mdbexsvv-0.mdbexsvv
//	                                       one position per topic
//
// A stream of one topic sends plain ids and resumes with a Position. A stream of several topics
// sends a vector, because the one Last-Event-ID a browser keeps (WHATWG HTML 9.2.6, "last event ID
// buffer") must let every topic resume exactly. The alphabet of all three is [0-9a-z.-]: they pass
// through an id: line, an HTTP header and a URL query as they are. Only a vector contains a dot, so
// the texts cannot be taken for one another.
//
// # Canonical or refused
//
// Every value has one spelling. Parsers refuse every other (leading zeros, signs, upper case,
// spaces, numbers beyond uint64), so an accepted text re-encodes to the same bytes, and equal texts
// mean equal places. These texts come back from clients: a refusal is normal and carries no detail.
// What to do about it (start live, or say that there is a gap) is the caller's decision.
//
// # A vector and its check
//
// Positions in a vector carry no names; they stand in the order of the topics' names, however the
// URL has them. The check is a hash of those names in that order, so an id taken to a URL with
// other topics is refused instead of being applied to the wrong logs. It guards against mistakes,
// not against an adversary: 32 bits of FNV are easy to forge, and whether a client may read a topic
// must never depend on them.
//
// # Use
//
// The package owns nothing and keeps no state; everything is safe from any goroutine. Encoders
// append to the caller's buffer and do not allocate when it has room ([MaxPositionBytes] and
// [VectorBytesMax] say how much). Parsers neither allocate nor keep their input.
package eventid
