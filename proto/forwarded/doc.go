// Package forwarded reads the fields in which HTTP proxies say whom a request came
// from: X-Forwarded-For, which is a habit, and Forwarded, which is RFC 7239. It says
// what stands there; whom of it to believe is for the caller.
//
//	xff.go      X-Forwarded-For
//	rfc7239.go  Forwarded
//	node.go     one address in either
package forwarded
