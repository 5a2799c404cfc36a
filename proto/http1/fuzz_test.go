package http1

import (
	"bufio"
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// FuzzParse checks that nothing panics, that a cut changes nothing, that the twin agrees,
// and that a head which net/http accepts too is read by both in the same way.
func FuzzParse(f *testing.F) {
	for _, a := range accepted {
		f.Add([]byte(a.in+a.rest), uint16(len(a.in)/2))
	}
	for _, r := range refused {
		if len(r.in) < 1000 {
			f.Add([]byte(r.in), uint16(len(r.in)-1))
		}
	}
	for i, fragment := range fragments {
		f.Add([]byte("GET /a HTTP/1.1\r\nHost: a"+fragment+"\r\n\r\n"), uint16(20+i))
	}
	lim := Limits{HeadBytes: 600, HeadersMax: 8, TargetBytes: 100} // in a fuzzer's reach
	f.Fuzz(func(t *testing.T, in []byte, cut uint16) {
		whole := feed(string(in), &lim)
		at := int(cut) % (len(in) + 1)
		if got := feed(string(in), &lim, at); !reflect.DeepEqual(got, whole) {
			t.Fatalf("%q cut at %d: %v\nin one piece: %v", in, at, got, whole)
		}
		if _, complaint := agrees(string(in), lim, at); complaint != "" {
			t.Fatal(complaint)
		}
		if whole.done {
			compareWithNetHTTP(t, in)
		}
	})
}

func TestNetHTTPReadsAcceptedHeadsAlike(t *testing.T) {
	compared := 0
	for _, a := range accepted {
		t.Run(a.name, func(t *testing.T) {
			if compareWithNetHTTP(t, []byte(a.in+a.rest)) {
				compared++
			}
		})
	}
	if compared < len(accepted)*3/4 {
		t.Errorf("net/http accepts only %d of %d", compared, len(accepted))
	}
}

// compareWithNetHTTP compares how an accepted head is read here and by net/http; it
// returns false when net/http refuses it.
func compareWithNetHTTP(t *testing.T, in []byte) bool {
	t.Helper()
	var p Parser
	var h Head
	n, done, err := p.Parse(in, &DefaultLimits, &h)
	if !done || err != nil {
		t.Fatalf("%q: done %v, %v", in, done, err)
	}
	req, reqErr := http.ReadRequest(bufio.NewReader(bytes.NewReader(in)))
	if reqErr != nil {
		return false
	}
	equal := func(what string, ours, theirs any) {
		t.Helper()
		if !reflect.DeepEqual(ours, theirs) {
			t.Errorf("%q: %s is %#v, net/http has %#v", in[:n], what, ours, theirs)
		}
	}
	path, escErr := url.PathUnescape(string(h.Path))
	if escErr != nil {
		t.Errorf("%q: path: %v", in[:n], escErr)
	}
	theirPath := req.URL.Path
	if theirPath == "" && req.URL.Host != "" { // http://host: net/http leaves that to its users
		theirPath = "/"
	}
	equal("method", string(h.Method), req.Method)
	equal("target", string(h.Target), req.RequestURI)
	equal("path", path, theirPath)
	equal("query", string(h.Query), req.URL.RawQuery)
	equal("authority", string(h.Authority), req.Host)
	equal("version", []int{1, h.Minor}, []int{req.ProtoMajor, req.ProtoMinor})
	equal("keep-alive", h.KeepAlive, !req.Close)
	equal("chunked", h.Chunked, len(req.TransferEncoding) == 1 &&
		req.TransferEncoding[0] == "chunked")
	equal("body", h.HasBody, req.ContentLength != 0)
	if !h.Chunked {
		equal("length", max(h.ContentLength, 0), req.ContentLength)
	}

	// ReadRequest takes some fields out of its map, and derives Cache-Control from Pragma.
	apart := map[string]bool{"Host": true, "Transfer-Encoding": true, "Content-Length": true,
		"Trailer": true, "Cache-Control": true}
	ours := http.Header{}
	for i := range h.Fields() {
		name, value := h.Field(i)
		key := textproto.CanonicalMIMEHeaderKey(string(name))
		ours[key] = append(ours[key], string(value))
	}
	for key, values := range ours {
		value, n := h.Get(strings.ToLower(key))
		equal("Get "+key, []any{string(value), n}, []any{values[0], len(values)})
		if !apart[key] {
			equal(key, values, req.Header[key])
		}
	}
	for key := range req.Header {
		if !apart[key] && ours[key] == nil {
			t.Errorf("%q: net/http has a field %s", in[:n], key)
		}
	}
	return true
}
