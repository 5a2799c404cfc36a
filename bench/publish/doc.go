// Package publish sends events at the times they are due, whatever the server does meanwhile, and
// counts what was acknowledged.
//
// A Publisher has a few keep-alive connections, each with one request on its way. In order, a topic
// belongs to one connection, so that a server that keeps the order of its publishes must keep that
// of its events. Otherwise the connections share all topics, for more events a second than one can
// bring through.
//
// At a rate, event k is due k/rate after the start and carries that time in its mark: if the
// server, or this process, is late with it or with those before it, its latency shows it (no
// coordinated omission). Flat out, an event is due when its request is written.
package publish
