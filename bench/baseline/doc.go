// Package baseline is the bare send loop, the yardstick for an event-stream server: what the kernel
// itself charges to accept a stream and to send it an event, and nothing more. baseline.c beside it
// is the same in C, and what this package is held against (go test -bench Against).
//
// Every connection is answered with a fixed head and is from then on a stream of one topic; one
// whose first bytes are POST is a publisher, and each request on it becomes one event. Of HTTP
// nothing is read but the word after "topic=" in the request line, and of a publish the
// Content-Length. A stream's request must come whole with the first read, and nothing is checked: a
// newline in a body ends the event's data there.
//
// Each thread is a locked operating-system thread with its own SO_REUSEPORT listener, epoll set and
// streams, which no other thread touches. What they share is an event on its way: Server.post gives
// it its id and appends it to every thread's inbox under one lock, so that all see one order, and
// rings the eventfds of those that may be asleep. The last thread that has sent an event gives its
// memory back. In a steady state nothing allocates, so a caller may turn the garbage collector off.
//
// A stream that cannot take a whole event at once is closed and counted (Server.Cut): there is no
// buffering to fall back on, and a half-sent event would no longer be comparable. A run with
// streams cut is void. Nor is there anything to hold publishers back but the sends of the thread
// that reads them: events wait for a thread that is behind.
//
// The calls that cannot wait are made without telling the Go scheduler, so a thread that is busy
// keeps its P; Serve sees to it that there is one more than threads. How a thread waits is in
// wait.go. To be measured the server wants a process of its own, begun with Start, or what the Go
// runtime does beside it is measured, too. That enough files may be open (RLIMIT_NOFILE) is the
// caller's business.
package baseline
