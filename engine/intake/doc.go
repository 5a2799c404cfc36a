// Package intake is where connections come in: it accepts them, reads request heads, turns requests
// for streams into streams, and hands everything else to net/http with the bytes already read.
//
//	intake.go      opening and closing; what is counted
//	inherited.go   listening sockets that another process has opened
//	acceptor.go    a listening socket: accept, one read, most streams are made here
//	judge.go       what becomes of a complete request head
//	heads.go idle.go
//	               connections whose request head, or next one, is not complete yet
//	tohttp.go places.go
//	               the way to net/http, and who may have how much of it
//	httpconn.go    a connection while it is there
//	request.go     topics and resume position of a request for a stream
//	poll.go        a request for one answer, and its connection's way back
//	proxies.go     the client's address, as trusted proxies say it
//	proxywarning.go
//	               a proxy that is not trusted
//	admission.go addresses.go rate.go
//	               limits and permission, then the way into a shard
//	files.go       descriptors kept to be able to refuse when there are no more
//	refusals.go    every reason for a no
//	answers.go     the heads of streams
//	settings.go    the settings of all that
//
// # How netpoll is used
//
// netpoll's pollers drive listeners of our own: a descriptor to poll and an Accept
// that is called when it is readable and may answer nil, nil. A listening socket
// is one. The set of connections with half a head is another: an epoll set can
// itself be polled. No netpoll connection is ever made; DESIGN.md says why.
//
// # Goroutines
//
// Everything in acceptor.go and heads.go runs on pollers and does not block. A
// connection that waits for the rest of its head, however slowly it comes, has no
// goroutine. One that went to net/http has; their number is bounded.
package intake
