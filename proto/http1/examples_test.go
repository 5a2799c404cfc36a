package http1

import (
	"strings"
	"testing"
)

// Heads shared by the tests and the benchmarks. "\n" stands for CRLF in lines().

func lines(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// chrome is what Chromium sends for new EventSource(url, {withCredentials: true}) on a reconnect.
var chrome = lines(`GET /events?topic=orders%2F42&topic=news HTTP/1.1
Host: push.example.com
Connection: keep-alive
sec-ch-ua-platform: "Linux"
Cache-Control: no-cache
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36
Accept: text/event-stream
sec-ch-ua: "Not)A;Brand";v="8", "Chromium";v="138", "Google Chrome";v="138"
sec-ch-ua-mobile: ?0
Origin: https://www.example.com
Sec-Fetch-Site: same-site
Sec-Fetch-Mode: cors
Sec-Fetch-Dest: empty
Referer: https://www.example.com/
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7
Cookie: session=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl; theme=dark
Last-Event-ID: 1751370000123-7

`)

// want is a Head in a form that can be written down and compared.
type want struct {
	method, target, path, query, authority string
	minor                                  int
	close                                  bool // KeepAlive is false
	length                                 int64
	chunked, expect, upgrade               bool
	// name=value; nil: not compared by golden vectors
	fields []string
	n      int
}

func describe(h *Head, n int) want {
	w := want{
		method: string(h.Method), target: string(h.Target), path: string(h.Path),
		query:     string(h.Query),
		authority: string(h.Authority), minor: h.Minor, close: !h.KeepAlive,
		length:  h.ContentLength,
		chunked: h.Chunked, expect: h.ExpectContinue, upgrade: h.Upgrade, n: n, fields: []string{},
	}
	for i := range h.Fields() {
		name, value := h.Field(i)
		w.fields = append(w.fields, string(name)+"="+string(value))
	}
	return w
}

const none = -1 // Content-Length is absent

// accepted are heads that must be accepted, and what must be found in them. What follows the
// head in the input, if anything, is given in rest.
var accepted = []struct {
	name, in, rest string
	want           want
}{
	{name: "shortest", in: lines("GET / HTTP/1.0\n\n"),
		want: want{method: "GET", target: "/", path: "/", close: true, length: none,
			fields: []string{}}},
	{name: "chrome", in: chrome,
		want: want{method: "GET", target: "/events?topic=orders%2F42&topic=news", path: "/events",
			query: "topic=orders%2F42&topic=news", authority: "push.example.com", minor: 1,
			length: none}},
	{name: "post with body behind",
		in: lines("POST /publish HTTP/1.1\nHost: a:8080\nContent-Length: 4\n\n"), rest: "data",
		want: want{method: "POST", target: "/publish", path: "/publish", authority: "a:8080",
			minor: 1, length: 4,
			fields: []string{"Host=a:8080", "Content-Length=4"}}},
	{name: "pipelined", in: lines("GET /a HTTP/1.1\nHost: a\n\n"),
		rest: "GET /b HTTP/1.1\r\nHost: a\r\n\r\n",
		want: want{method: "GET", target: "/a", path: "/a", authority: "a", minor: 1,
			length: none}},
	{name: "garbage behind the head is not looked at", in: lines("GET /a HTTP/1.1\nHost: a\n\n"),
		rest: "\x00\n",
		want: want{method: "GET", target: "/a", path: "/a", authority: "a", minor: 1,
			length: none}},
	{name: "chunked in any case",
		in: lines("PUT /a HTTP/1.1\nHost: a\ntransfer-ENCODING:Chunked\nExpect: 100-Continue\n\n"),
		want: want{method: "PUT", target: "/a", path: "/a", authority: "a", minor: 1, length: none,
			chunked: true, expect: true,
			fields: []string{"Host=a", "transfer-ENCODING=Chunked", "Expect=100-Continue"}}},
	{name: "two empty lines first", in: lines("\n\nGET /a HTTP/1.1\nHost: a\n\n"),
		want: want{method: "GET", target: "/a", path: "/a", authority: "a", minor: 1,
			length: none}},
	{name: "blanks around values",
		in: lines("GET /a HTTP/1.1\nHost: \t a \t\nX:\nY: \t \nZ:a\tb \xc3\xa4\n\n"),
		want: want{method: "GET", target: "/a", path: "/a", authority: "a", minor: 1, length: none,
			fields: []string{"Host=a", "X=", "Y=", "Z=a\tb \xc3\xa4"}}},
	{name: "empty host", in: lines("GET /a HTTP/1.1\nHost:\n\n"),
		want: want{method: "GET", target: "/a", path: "/a", minor: 1, length: none}},
	{name: "IPv6 host", in: lines("GET /a HTTP/1.1\nHost: [::1]:8080\n\n"),
		want: want{method: "GET", target: "/a", path: "/a", authority: "[::1]:8080", minor: 1,
			length: none}},
	{name: "every character of a host",
		in: lines("GET /a HTTP/1.1\nHost: aZ09-._~!$&'()*+,;=:\n\n"),
		want: want{method: "GET", target: "/a", path: "/a", authority: "aZ09-._~!$&'()*+,;=:",
			minor: 1, length: none}},
	{name: "every character of a token",
		in: lines("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\nHost: a\n!#$%&'*+-.^_`|~09azAZ: b\n\n"),
		want: want{method: "!#$%&'*+-.^_`|~09azAZ", target: "/", path: "/", authority: "a",
			minor: 1, length: none,
			fields: []string{"Host=a", "!#$%&'*+-.^_`|~09azAZ=b"}}},
	{name: "method of 32 bytes", in: lines(strings.Repeat("M", 32) + " / HTTP/1.1\nHost: a\n\n"),
		want: want{method: strings.Repeat("M", 32), target: "/", path: "/", authority: "a",
			minor: 1, length: none}},
	{name: "every character of a path and a query",
		in: lines("GET /!\"$&'()*+,-./09:;<=>@AZ[]^_`az{|}~%7f%C3%a4?!\"$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~%00 HTTP/1.1\nHost: a\n\n"),
		want: want{method: "GET",
			target:    "/!\"$&'()*+,-./09:;<=>@AZ[]^_`az{|}~%7f%C3%a4?!\"$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~%00",
			path:      "/!\"$&'()*+,-./09:;<=>@AZ[]^_`az{|}~%7f%C3%a4",
			query:     "!\"$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~%00",
			authority: "a", minor: 1, length: none}},
	{name: "path of slashes is no authority", in: lines("GET //b/c HTTP/1.1\nHost: a\n\n"),
		want: want{method: "GET", target: "//b/c", path: "//b/c", authority: "a", minor: 1,
			length: none}},
	{name: "empty query", in: lines("GET /a? HTTP/1.1\nHost: a\n\n"),
		want: want{method: "GET", target: "/a?", path: "/a", authority: "a", minor: 1,
			length: none}},
	{name: "absolute-form wins over Host", in: lines("GET HTTP://b:80/c?d HTTP/1.1\nHost: a\n\n"),
		want: want{method: "GET", target: "HTTP://b:80/c?d", path: "/c", query: "d",
			authority: "b:80", minor: 1, length: none}},
	{name: "absolute-form without path", in: lines("GET https://[::1] HTTP/1.1\nHost: a\n\n"),
		want: want{method: "GET", target: "https://[::1]", path: "/", authority: "[::1]", minor: 1,
			length: none}},
	{name: "absolute-form with a query after the host",
		in: lines("GET hTTps://b?c/d HTTP/1.1\nHost: b\n\n"),
		want: want{method: "GET", target: "hTTps://b?c/d", path: "/", query: "c/d", authority: "b",
			minor: 1, length: none}},
	{name: "asterisk-form", in: lines("OPTIONS * HTTP/1.1\nHost: a\n\n"),
		want: want{method: "OPTIONS", target: "*", path: "*", authority: "a", minor: 1,
			length: none}},
	{name: "HTTP/1.0 without Host, kept alive",
		in:   lines("GET /a HTTP/1.0\nConnection: keep-alive\n\n"),
		want: want{method: "GET", target: "/a", path: "/a", length: none}},
	{name: "HTTP/1.0 ignores 100-continue",
		in:   lines("POST /a HTTP/1.0\nExpect: 100-continue\nContent-Length: 0\n\n"),
		want: want{method: "POST", target: "/a", path: "/a", close: true, length: 0}},
	{name: "connection options add up",
		in: lines("GET /a HTTP/1.1\nHost: a\nConnection: keep-alive, Upgrade\nConnection: ,\t, CLOSE ,\nUpgrade: websocket\n\n"),
		want: want{method: "GET", target: "/a", path: "/a", authority: "a", minor: 1, close: true,
			length: none, upgrade: true}},
	{name: "close wins over keep-alive",
		in:   lines("GET /a HTTP/1.0\nConnection: close, keep-alive\n\n"),
		want: want{method: "GET", target: "/a", path: "/a", close: true, length: none}},
	{name: "options are whole words",
		in: lines("GET /a HTTP/1.1\nHost: a\nConnection: closed, x-close\n\n"),
		want: want{method: "GET", target: "/a", path: "/a", authority: "a", minor: 1,
			length: none}},
	{name: "largest length",
		in: lines("POST /a HTTP/1.1\nHost: a\nContent-Length: 0009223372036854775807\n\n"),
		want: want{method: "POST", target: "/a", path: "/a", authority: "a", minor: 1,
			length: 9223372036854775807}},
	{name: "fields may repeat unless named",
		in: lines("GET /a HTTP/1.1\nHost: a\nAccept: b\naccept: c\n\n"),
		want: want{method: "GET", target: "/a", path: "/a", authority: "a", minor: 1, length: none,
			fields: []string{"Host=a", "Accept=b", "accept=c"}}},
	{name: "names of known length are not known names",
		in: lines("GET /a HTTP/1.1\nHost: a\nHosu: /\nEscort: no\nOxford: no\nLast-Event-Ie: 1\nLast-Event-Ie: 2\nContent-Lengti: x\n\n"),
		want: want{method: "GET", target: "/a", path: "/a", authority: "a", minor: 1,
			length: none}},
}

// refused are heads that must be refused with exactly this error at exactly the last byte
// of in: the input without it must leave the parser asking for more.
var refused = []struct {
	name, in string
	err      *Error
}{
	{"TLS handshake", "\x16", errTLS},
	{"third empty line", "\r\n\r\n\r", errEmptyLines},
	{"LF as first byte", "\n", errLineEnd},
	{"bare CR as empty line", "\rG", errLineEnd},
	{"TLS after an empty line is no TLS", "\r\n\x16", errMethod},

	{"space as first byte", " ", errMethod},
	{"NUL in method", "GE\x00", errMethod},
	{"separator in method", "GET/", errMethod},
	{"tab after method", "GET\t", errMethod},
	{"UTF-8 in method", "G\xc3", errMethod},
	{"method of 33 bytes", strings.Repeat("M", 33), errMethod},
	{"line of a method only", "GET\r", errRequestLine},
	{"LF after the method", "GET\n", errRequestLine},
	{"CONNECT", "CONNECT ", errConnect},

	{"two spaces before the target", "GET  ", errRequestLine},
	{"no target", "GET \r", errRequestLine},
	{"tab before the target", "GET \t", errTargetByte},
	{"relative target", "GET e", errTarget},
	{"authority-form", "GET ho", errTarget},
	{"asterisk-form without OPTIONS", "GET *", errTarget},
	{"asterisk-form in lower case", "options *", errTarget},
	{"asterisk-form with more", "OPTIONS */", errTarget},
	{"line ends after asterisk", "OPTIONS *\r", errRequestLine},
	{"unknown scheme", "GET hx", errTarget},
	{"scheme alone", "GET http: ", errTarget},
	{"scheme with one slash", "GET https:/a", errTarget},
	{"empty authority", "GET http:///", errAuthority},
	{"empty authority before a query", "GET http://?", errAuthority},
	{"empty authority at the end", "GET http:// ", errAuthority},
	{"port without host", "GET http://:80/", errAuthority},
	{"user information", "GET http://a@", errAuthority},
	{"escape in authority", "GET http://a%", errAuthority},
	{"fragment after authority", "GET http://a#", errAuthority},
	{"line ends in authority", "GET http://a\r", errAuthority},
	{"letters in port", "GET http://a:8o/", errAuthority},
	{"two ports", "GET http://a:8:8/", errAuthority},
	{"bracket not closed", "GET http://[::1/", errAuthority},
	{"empty brackets", "GET http://[]/", errAuthority},
	{"name in brackets", "GET http://[g]/", errAuthority},
	{"host after brackets", "GET http://[::1]a/", errAuthority},
	{"bracket in name", "GET http://a]/", errAuthority},
	{"fragment in path", "GET /a#", errTargetByte},
	{"fragment in query", "GET /a?b#", errTargetByte},
	{"fragment in path of absolute-form", "GET http://a/#", errTargetByte},
	{"backslash in path", `GET /a\`, errTargetByte},
	{"NUL in path", "GET /a\x00", errTargetByte},
	{"DEL in query", "GET /a?\x7f", errTargetByte},
	{"tab in query", "GET /a?\t", errTargetByte},
	{"UTF-8 in path", "GET /\xc3", errTargetByte},
	{"UTF-8 in query", "GET /?\xc3", errTargetByte},
	{"escape without digits in path", "GET /%g", errEscape},
	{"escape with one digit in path", "GET /%0g", errEscape},
	{"escape cut by the end of the path", "GET /%0 ", errEscape},
	{"escape cut by the query", "GET /%0?", errEscape},
	{"escape cut by an escape", "GET /%0%", errEscape},
	{"escape cut in query", "GET /?%0 ", errEscape},
	{"escape cut by the end of the line", "GET /?%\r", errEscape},
	{"encoded NUL in path", "GET /a%00", errPathNUL},
	{"encoded NUL in path of absolute-form", "GET http://a/%00", errPathNUL},

	{"HTTP/0.9", "GET /\r", errRequestLine},
	{"HTTP/0.9 with LF", "GET /?a\n", errRequestLine},
	{"two spaces before the version", "GET /  ", errRequestLine},
	{"four parts", "GET / x", errRequestLine},
	{"no version", "GET / \r", errRequestLine},
	{"version in lower case", "GET / h", errRequestLine},
	{"no major digit", "GET / HTTP/.", errRequestLine},
	{"no minor digit", "GET / HTTP/1.x", errRequestLine},
	{"no dot", "GET / HTTP/1,", errRequestLine},
	{"major version of two digits", "GET / HTTP/11", errRequestLine},
	{"minor version of two digits", "GET / HTTP/1.10", errRequestLine},
	{"space after the version", "GET / HTTP/1.1 ", errRequestLine},
	{"HTTP/0.9 spelt out", "GET / HTTP/0", errVersion},
	{"HTTP/2", "GET / HTTP/2", errVersion},
	{"HTTP/1.2", "GET / HTTP/1.2", errVersion},
	{"LF after the version", "GET / HTTP/1.1\n", errLineEnd},
	{"bare CR after the version", "GET / HTTP/1.1\rH", errLineEnd},
	{"two CRs after the version", "GET / HTTP/1.1\r\r", errLineEnd},

	{"folded first line", lines("GET / HTTP/1.1\n "), errFold},
	{"folded line", lines("GET / HTTP/1.1\nHost: a\n\t"), errFold},
	{"empty name", lines("GET / HTTP/1.1\n:"), errFieldName},
	{"space before the colon", lines("GET / HTTP/1.1\nHost "), errFieldName},
	{"tab before the colon", lines("GET / HTTP/1.1\nHost\t"), errFieldName},
	{"line without colon", lines("GET / HTTP/1.1\nHost\r"), errFieldName},
	{"NUL in name", lines("GET / HTTP/1.1\nHo\x00"), errFieldName},
	{"separator in name", lines("GET / HTTP/1.1\nHo("), errFieldName},
	{"UTF-8 in name", lines("GET / HTTP/1.1\nHo\xc3"), errFieldName},
	{"NUL in value", lines("GET / HTTP/1.1\nA: b\x00"), errFieldValue},
	{"vertical tab in value", lines("GET / HTTP/1.1\nA: \v"), errFieldValue},
	{"ESC in value", lines("GET / HTTP/1.1\nA: \x1b"), errFieldValue},
	{"DEL in value", lines("GET / HTTP/1.1\nA: \x7f"), errFieldValue},
	{"LF after a value", lines("GET / HTTP/1.1\nA: b") + "\n", errLineEnd},
	{"bare CR in a value", lines("GET / HTTP/1.1\nA: b\rc"), errLineEnd},
	{"two CRs after a value", lines("GET / HTTP/1.1\nA: b\r\r"), errLineEnd},
	{"LF instead of the last line", lines("GET / HTTP/1.0\nA: b\n") + "\n", errLineEnd},
	{"bare CR instead of the last line", lines("GET / HTTP/1.0\n") + "\rG", errLineEnd},

	{"no Host in HTTP/1.1", lines("GET / HTTP/1.1\nA: b\n\n"), errHostMissing},
	{"no Host beside an absolute-form", lines("GET http://a/ HTTP/1.1\n\n"), errHostMissing},
	{"two Hosts", lines("GET / HTTP/1.1\nHost: a\nhost:"), errHostRepeated},
	{"two Hosts in HTTP/1.0", lines("GET / HTTP/1.0\nHost: a\nHOST:"), errHostRepeated},
	{"space in Host", lines("GET / HTTP/1.1\nHost: a b\n"), errHostValue},
	{"slash in Host", lines("GET / HTTP/1.1\nHost: a/b\n"), errHostValue},
	{"user information in Host", lines("GET / HTTP/1.1\nHost: a@b\n"), errHostValue},
	{"escape in Host", lines("GET / HTTP/1.1\nHost: %61\n"), errHostValue},
	{"UTF-8 in Host", lines("GET / HTTP/1.1\nHost: \xc3\xa4\n"), errHostValue},
	{"port without host in Host", lines("GET / HTTP/1.1\nHost: :80\n"), errHostValue},
	{"letters in port of Host", lines("GET / HTTP/1.1\nHost: a:b\n"), errHostValue},
	{"bad Host beside an absolute-form", lines("GET http://a/ HTTP/1.1\nHost: a/\n"), errHostValue},
	{"bad Host in HTTP/1.0", lines("GET / HTTP/1.0\nHost: a/\n"), errHostValue},

	{"empty length", lines("POST / HTTP/1.1\nContent-Length:\n"), errLength},
	{"signed length", lines("POST / HTTP/1.1\nContent-Length: +1\n"), errLength},
	{"negative length", lines("POST / HTTP/1.1\nContent-Length: -1\n"), errLength},
	{"hexadecimal length", lines("POST / HTTP/1.1\nContent-Length: 0x1\n"), errLength},
	{"length with a blank", lines("POST / HTTP/1.1\nContent-Length: 1 1\n"), errLength},
	{"list of lengths", lines("POST / HTTP/1.1\nContent-Length: 1,1\n"), errLength},
	{"length of 2^63", lines("POST / HTTP/1.1\nContent-Length: 9223372036854775808\n"), errLength},
	{"length of 2^64", lines("POST / HTTP/1.1\nContent-Length: 18446744073709551616\n"), errLength},
	{"length of 10 * 2^63", lines("POST / HTTP/1.1\nContent-Length: 92233720368547758080\n"),
		errLength},
	{"two equal lengths", lines("POST / HTTP/1.1\nContent-Length: 1\nContent-length:"),
		errLengthTwice},
	{"coding after length", lines("POST / HTTP/1.1\nContent-Length: 1\nTransfer-Encoding:"),
		errLengthCoding},
	{"length after coding", lines("POST / HTTP/1.1\nTransfer-Encoding: chunked\nContent-Length:"),
		errLengthCoding},
	{"two codings", lines("POST / HTTP/1.1\nTransfer-Encoding: chunked\nTransfer-Encoding:"),
		errCodingTwice},
	{"coding in HTTP/1.0", lines("POST / HTTP/1.0\nTransfer-Encoding:"), errCodingVersion},
	{"other coding", lines("POST / HTTP/1.1\nTransfer-Encoding: gzip\n"), errCoding},
	{"list of codings", lines("POST / HTTP/1.1\nTransfer-Encoding: gzip, chunked\n"), errCoding},
	{"chunked twice in a list", lines("POST / HTTP/1.1\nTransfer-Encoding: chunked, chunked\n"),
		errCoding},
	{"coding with a parameter", lines("POST / HTTP/1.1\nTransfer-Encoding: chunked;a=b\n"),
		errCoding},
	{"empty coding", lines("POST / HTTP/1.1\nTransfer-Encoding:\n"), errCoding},
	{"identity", lines("POST / HTTP/1.1\nTransfer-Encoding: identity\n"), errCoding},
	{"other Expect", lines("POST / HTTP/1.1\nExpect: 200-ok\n"), errExpect},
	{"empty Expect", lines("POST / HTTP/1.1\nExpect:\n"), errExpect},
	{"two Expects", lines("POST / HTTP/1.1\nExpect: 100-continue\nExpect:"), errExpectTwice},
	{"two Last-Event-IDs", lines("GET / HTTP/1.1\nLast-Event-ID: 1\nlast-event-id:"),
		errEventIDTwice},
	{"two Authorizations", lines("GET / HTTP/1.1\nAuthorization: Bearer a\nauthorization:"),
		errAuthTwice},
	{"two Origins", lines("GET / HTTP/1.1\nOrigin: null\norigin:"), errOriginTwice},

	{"target of 4097 bytes", "GET /" + strings.Repeat("a", 4096), errTargetLong},
	{"query of 4097 bytes", "GET /?" + strings.Repeat("a", 4095), errTargetLong},
	{"absolute-form of 4097 bytes", "GET http://" + strings.Repeat("a", 4090), errTargetLong},
	{"head of 8192 bytes unfinished", "GET / HTTP/1.1\r\nA: " + strings.Repeat("a", 8192-19),
		errHeadLong},
	{"field 101", "GET / HTTP/1.1\r\n" + strings.Repeat("A:\r\n", 100) + "H", errHeadFields},
}

// TestEveryHeadErrorHasAnExample keeps the table above complete.
func TestEveryHeadErrorHasAnExample(t *testing.T) {
	covered := map[*Error]bool{errQuerySemicolon: true, errQueryEscape: true} // see query_test.go
	for _, r := range refused {
		covered[r.err] = true
	}
	for _, e := range Errors() {
		if !covered[e] {
			t.Errorf("no example is refused with %q", e.Reason)
		}
	}
}

func TestErrorsAreFitForAnswersAndMetrics(t *testing.T) {
	status := map[string]int{}
	reasons := map[string]bool{}
	for _, e := range Errors() {
		if StatusText(e.Status) == "" {
			t.Errorf("%q has the unknown status %d", e.Reason, e.Status)
		}
		if strings.Trim(e.Label, "abcdefghijklmnopqrstuvwxyz_") != "" || e.Label == "" ||
			len(e.Label) > 24 {
			t.Errorf("%q is no short metric label", e.Label)
		}
		if s, ok := status[e.Label]; ok && s != e.Status {
			t.Errorf("label %q stands for status %d and %d", e.Label, s, e.Status)
		}
		status[e.Label] = e.Status
		if e.Error() == "" || strings.ContainsAny(e.Error(), "\r\n") || reasons[e.Error()] {
			t.Errorf("reason %q is not one line of its own", e.Error())
		}
		reasons[e.Error()] = true
	}
}
