// Package proxyproto reads the header of the PROXY protocol, by which a proxy that
// forwards bytes says the address of the client that sends them. It is pure bytes: it owns no
// connection and no buffer.
//
//	header.go  Header, Parse, and the ways in which a header can be refused
//	v1.go      the line of text
//	v2.go      the binary form, with its extensions (TLVs) and checksum
//
// Both versions are those of HAProxy's specification "The PROXY protocol, versions 1
// & 2" (doc/proxy-protocol.txt). What it leaves to the receiver is decided here so: a
// header is refused with the first byte that cannot be one; addresses of datagrams
// are refused, for a listener of streams has none.
package proxyproto
