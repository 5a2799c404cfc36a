// Package load holds very many event streams open from one process, cheaply enough to share a machine with the
// server it measures, and knows afterwards whether every stream got what it should.
//
// A Client owns a few loops. A loop is one locked operating-system thread with its own epoll set, its own streams
// (a few dozen bytes each, no pointers) and one receive buffer for all of them; only that thread touches them.
// Other goroutines read the loop's atomic totals, or post a function to its inbox. What is received is scanned once
// and thrown away: events, comments and gap events are counted and ids must rise, nothing is kept.
//
// A Publisher is one keep-alive connection that posts events and waits for each answer. A probe (MeasureProbe)
// publishes to a topic of its own at fixed times and measures how long after the time it was due each event arrived.
//
// What Verify vouches for: given the number of events published after the streams were opened, a stream is exact if
// it counted just as many and their ids (if the server sends ids) rose strictly. Same number and strictly rising
// means none lost, none twice, none out of order. Without ids only the number is known.
//
// Bodies must be delimited by the end of the connection: a chunked answer is refused, as the scanner would take its
// framing for damage.
package load
