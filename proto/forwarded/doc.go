// Package forwarded reads the fields in which HTTP proxies say the client's address of a
// request: X-Forwarded-For, which has no standard, and Forwarded, which is RFC 7239. It
// returns the addresses that stand there; the caller decides which of them to believe.
//
//	xff.go      X-Forwarded-For
//	rfc7239.go  Forwarded
//	node.go     one address in either
package forwarded
