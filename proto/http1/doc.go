// Package http1 reads the head of an HTTP/1.x request and writes short error
// answers. It is pure bytes: it owns no connection, no clock and no buffer, and it
// allocates nothing on the way to an accepted request.
//
// # What is here
//
//	limits.go       Limits: the bounds of a head, and their defaults
//	parser.go       Parser: restartable, finds and checks one head in a growing buffer
//	requestline.go  … method, target and version
//	fieldlines.go   … field lines, byte by byte
//	fields.go       … the fields that decide how a message is framed or routed
//	head.go         Head: what was found, and the lookup of fields
//	errors.go       Error: every way a head can be refused, as values
//	chars.go        character classes
//	query.go        pairs of a query string, form decoding
//	answer.go       complete error answers, without net/http
//
// # Use
//
//	var p http1.Parser // one per connection; 72 bytes, no pointers
//	var h http1.Head   // one per goroutine is enough
//	p.Reset()
//	for {
//		buf = append(buf, received...)
//		n, done, err := p.Parse(buf, &limits, &h)
//		switch {
//		case err != nil: // answer err.Status, close
//		case done: // use h now; buf[n:] is the body, or the next request
//		}
//	}
//
// Every call gets all bytes of this head received so far. Bytes seen once are not looked at again,
// so a head that dribbles in costs no more than one that comes whole. The buffer may have grown or
// moved between calls: the parser keeps offsets only. The outcome (head, length, error) does not
// depend on where the input was cut; an error is reported with the first byte that makes the head
// unacceptable, so a client that speaks TLS to a plain port is refused at its first byte.
//
// # Concurrency
//
// A Parser and a Head belong to the goroutine that uses them; different ones are
// independent. The package-level functions keep no state. Slices in a Head point into
// the buffer given to Parse and live as long as it is neither changed nor moved; to
// have them again after a move, call Parse again with the moved buffer.
//
// # Strictness
//
// A server behind a proxy is attacked through heads that the two read differently
// (RFC 9112 11.2). So whatever could be read in two ways is refused, even where the
// RFC would let a recipient be lenient. Each decision has one place, one [Error] and
// one test; those that go beyond the grammar, or that a reader may wonder about:
//
//   - Lines end with CRLF. A bare LF, a bare CR, a folded line and a blank before the
//     colon are refused (RFC 9112 2.2, 5.1, 5.2). Up to two empty lines before the request
//     line are skipped; they count towards Limits.HeadBytes.
//   - Exactly one Host in HTTP/1.1, at most one in 1.0. Its value is empty, or a host of
//     RFC 3986 3.2.2 with an optional port. Percent-escapes in a host are refused: some
//     readers decode them and some do not. Of IP literals, IPv6 characters in brackets
//     are accepted; zones and IPvFuture are not.
//   - Content-Length occurs once, as digits; not as a list, not twice even when equal, not
//     beside Transfer-Encoding. The only Transfer-Encoding is chunked, in any case, in HTTP/1.1.
//   - Last-Event-ID, Authorization, Origin and Expect occur at most once: of two, one
//     reader takes the first and another the last.
//   - The target is origin-form, absolute-form with http or https, or "*" with OPTIONS. With
//     absolute-form the Host field is checked, then ignored, as RFC 9112 3.2.2 demands.
//   - Target bytes are 0x21 to 0x7e without '#'. The characters " < > ^ ` { | } (and \ in the
//     query) are not in RFC 3986's grammar, but every reader takes them literally, and
//     browsers send several of them raw in a query: they are accepted. A backslash in the
//     path is refused: browsers and some proxies read it as '/', others as itself.
//   - %XX must be complete; %00 in the path is refused. Dot segments are not
//     resolved and escapes not decoded: Path is compared as sent, on every way through the server.
package http1
