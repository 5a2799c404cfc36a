// Package load holds very many event streams open, cheaply enough to share a machine with the
// server it measures, and knows afterwards whether every stream got what it should.
//
// A Client owns a few loops. A loop is one locked operating-system thread with its own epoll set,
// its own streams (a few dozen bytes each, no pointers) and one receive buffer for all of them;
// only that thread touches them. Other goroutines read the loop's tally, a copy made once a turn,
// or post a function to its inbox. What is received is scanned once and thrown away.
//
// A Crowd is a Client, or several in worker processes where one may not open enough files; its
// methods wait, and end when their context does. The methods of a Client only set things going, so
// that the same calls work across processes.
//
// What is checked. A payload carries a mark (see bench/mark): the topic, a sequence number, the
// time the event was due. At each event the stream knows whether the topic is its own
// (misdelivered), whether the number was there before (duplicate) or came after a higher one
// (late); ids must not fall and not repeat (unsorted). At the end the number of different events is
// held against what was published (lost, or told of a gap, if the server says so as ssedge does
// with an event "gap"). Its events "ssedge", about the stream itself, are passed over. Latency is
// from when an event was due to when this process had read it.
//
// Bodies may end with the connection or come in chunks. Lines may end in LF or CRLF. TLS is not
// spoken.
package load
