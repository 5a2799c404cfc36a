// Package sse is the event stream format of Server-Sent Events: WHATWG HTML
// section 9.2, "Server-sent events". It has the two ends of the wire, an
// encoder for the server and a decoder that reads the standard to the letter.
//
// # An event on the wire
//
//	event: price        only if the event has a name
//	retry: 3000         only if it sets the reconnection time
//	data: first line    one per line of the data
//	data: second line
//	id: 1753000000123-0
//	                    the blank line that ends the event
//
// [AppendBody] writes the lines down to the last data: line, [AppendID] the rest. The seam is there
// because the body is the same for every subscriber, while the id of a stream with several topics
// differs from one connection to the next.
//
// What the encoder writes ends every line with a lone LF, and contains an empty line at the end of
// an event and nowhere else. That is the invariant [Boundary] rests on. Such an end is the only
// place where something else may be put into a stream. Every block has data: the standard lets a
// block without data set the id or the reconnection time, but many clients forget the id and hand
// out an empty message.
//
// # What data can say
//
// In data CR, LF and CRLF all end a line, and the receiver gets each of them as one LF (9.2.6): the
// difference between them does not survive, everything else does. Data of no bytes is an event of
// no bytes, sent as a data: line without a value; an event without any data: line would not be
// dispatched. Data cannot add a field or an event of its own, and neither can a name that package
// rule accepts.
//
// # Reading
//
// [Decoder] takes chunks cut anywhere and calls back per message. It keeps no
// part of a chunk, and its memory is bounded. It knows nothing of connections:
// reconnecting, and [Decoder.Reset] before the next stream, are its caller's.
//
// # Use
//
// Encoders append to the caller's buffer, keep nothing, do not allocate when it
// has room ([BodyBytesMax] and [IDOverheadBytes] say how much), and are safe
// from any goroutine. A Decoder belongs to one goroutine.
package sse
