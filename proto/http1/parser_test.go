package http1

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

// outcome is all that a caller can see of a Parse.
type outcome struct {
	err  *Error
	done bool
	want want
}

func (o outcome) String() string {
	if o.err != nil {
		return fmt.Sprintf("refused, %d: %s", o.err.Status, o.err.Reason)
	}
	return fmt.Sprintf("done %v: %+v", o.done, o.want)
}

// feed gives in to a fresh parser, cut at the given offsets, until it decides. Each call sees
// the bytes at another address, and the bytes of earlier calls are spoilt.
func feed(in string, lim *Limits, cuts ...int) outcome {
	var p Parser
	h := Head{Method: []byte("untouched")}
	for _, end := range append(cuts, len(in)) {
		buf := []byte(in[:end])
		n, done, err := p.Parse(buf, lim, &h)
		switch {
		case err != nil && (done || n != 0 || string(h.Method) != "untouched"):
			panic("refused, yet something was reported")
		case err != nil:
			return outcome{err: err}
		case done:
			return outcome{done: true, want: describe(&h, n)}
		case n != 0 || string(h.Method) != "untouched":
			panic("incomplete, yet something was reported")
		}
		clear(buf)
	}
	return outcome{}
}

func everyByte(n int) []int {
	cuts := make([]int, n)
	for i := range cuts {
		cuts[i] = i
	}
	return cuts
}

func TestAcceptedHeadsAreDescribed(t *testing.T) {
	for _, a := range accepted {
		t.Run(a.name, func(t *testing.T) {
			w := a.want
			w.n = len(a.in)
			got := feed(a.in+a.rest, &DefaultLimits)
			if w.fields == nil {
				got.want.fields = nil
			}
			if !got.done || !reflect.DeepEqual(got.want, w) {
				t.Errorf("got  %v\nwant %+v", got, w)
			}
		})
	}
}

func TestRefusalComesWithTheOffendingByteAndNotBefore(t *testing.T) {
	for _, r := range refused {
		t.Run(r.name, func(t *testing.T) {
			if got := feed(r.in, &DefaultLimits); got.err != r.err {
				t.Errorf("got %v\nwant %v", got, outcome{err: r.err})
			}
			if got := feed(r.in[:len(r.in)-1], &DefaultLimits); got.err != nil || got.done {
				t.Errorf("one byte earlier: %v", got)
			}
			for _, more := range []string{"\x00", "\r\n\r\n", " / HTTP/1.1\r\nHost: a\r\n\r\n"} {
				if got := feed(r.in+more, &DefaultLimits); got.err != r.err {
					t.Errorf("with %q behind it: %v", more, got)
				}
			}
		})
	}
}

func TestOutcomeDoesNotDependOnWhereTheInputIsCut(t *testing.T) {
	check := func(t *testing.T, in string) {
		whole := feed(in, &DefaultLimits)
		for i := range len(in) + 1 {
			if got := feed(in, &DefaultLimits, i); !reflect.DeepEqual(got, whole) {
				t.Fatalf("cut at %d: %v\nin one piece: %v", i, got, whole)
			}
		}
		if len(in) > 2000 { // byte by byte is quadratic in this test, for it copies
			return
		}
		if got := feed(in, &DefaultLimits, everyByte(len(in))...); !reflect.DeepEqual(got, whole) {
			t.Fatalf("byte by byte: %v\nin one piece: %v", got, whole)
		}
	}
	for _, a := range accepted {
		t.Run(a.name, func(t *testing.T) { check(t, a.in+a.rest) })
	}
	for _, r := range refused {
		t.Run(r.name, func(t *testing.T) { check(t, r.in) })
	}
}

func TestLimitsHoldToTheByte(t *testing.T) {
	head := func(target string, fields int, pad int) string {
		return "\r\nGET " + target + " HTTP/1.1\r\nHost: a\r\n" +
			strings.Repeat("A: b\r\n", fields-2) +
			"B: " + strings.Repeat("b", pad) + "\r\n\r\n"
	}
	in := head("/abc?d=e", 7, 10)
	exact := Limits{HeadBytes: len(in), HeadersMax: 7, TargetBytes: len("/abc?d=e")}
	tests := []struct {
		name string
		lim  Limits
		err  *Error
	}{
		{"all limits reached", exact, nil},
		{"head one byte too long", Limits{exact.HeadBytes - 1, exact.HeadersMax, exact.TargetBytes},
			errHeadLong},
		{"one field too many", Limits{exact.HeadBytes, exact.HeadersMax - 1, exact.TargetBytes},
			errHeadFields},
		{"target one byte too long",
			Limits{exact.HeadBytes, exact.HeadersMax, exact.TargetBytes - 1}, errTargetLong},
		{"limit inside the target", Limits{8, exact.HeadersMax, exact.TargetBytes}, errHeadLong},
		{"smallest limits", Limits{1, 1, 1}, errHeadLong},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, cuts := range [][]int{nil, everyByte(len(in)), {test.lim.HeadBytes}} {
				for _, rest := range []string{"", "body"} {
					if got := feed(in+rest, &test.lim, cuts...); got.err != test.err ||
						got.done != (test.err == nil) {
						t.Errorf("cuts %v: %v", cuts, got)
					}
				}
			}
		})
	}
}

// The forms that end the target exactly at its limit differ in code.
func TestTargetMayFillItsLimitInEveryForm(t *testing.T) {
	for _, target := range []string{"/abc", "/a?b", "/%41", "/?%41", "http://a", "http://a/b",
		"http://a?b"} {
		in := "GET " + target + " HTTP/1.0\r\n\r\n"
		lim := Limits{HeadBytes: 100, HeadersMax: 1, TargetBytes: len(target)}
		if got := feed(in, &lim); !got.done || got.want.target != target {
			t.Errorf("%s: %v", target, got)
		}
		if got := feed("GET "+target+"\r", &lim); got.err == nil || got.err.Status != 400 {
			t.Errorf("%s: line ends after it: %v", target, got)
		}
		lim.TargetBytes--
		if got := feed(in, &lim); got.err != errTargetLong {
			t.Errorf("%s: limit lower by one: %v", target, got)
		}
	}
}

func TestParserIsReusable(t *testing.T) {
	var p Parser
	var h Head
	for _, r := range refused { // whatever state it was left in
		for _, in := range []string{r.in, r.in[:len(r.in)-1]} {
			p.Parse([]byte(in), &DefaultLimits, &h)
			p.Reset()
			if p != (Parser{}) {
				t.Fatalf("%s: Reset leaves %+v", r.name, p)
			}
		}
	}
	// A pipelined connection: what follows one head is the next.
	buf := []byte(lines("GET /a HTTP/1.1\nHost: a\nConnection: close\n\nGET /b HTTP/1.1\nHost: b\n\n"))
	for _, path := range []string{"/a", "/b"} {
		p.Reset()
		n, done, err := p.Parse(buf, &DefaultLimits, &h)
		if err != nil || !done || string(h.Path) != path || h.KeepAlive != (path == "/b") {
			t.Fatalf("%s: done %v, %v, path %s", path, done, err, h.Path)
		}
		buf = buf[n:]
	}
	if len(buf) != 0 {
		t.Errorf("%d bytes are left", len(buf))
	}
}

func TestParseAfterDoneFillsTheHeadFromAMovedBuffer(t *testing.T) {
	var p Parser
	var h Head
	first := []byte(chrome)
	p.Parse(first, &DefaultLimits, &h)
	before := describe(&h, len(chrome))
	for i := range first {
		first[i] = 0
	}
	n, done, err := p.Parse([]byte(chrome+"body"), &DefaultLimits, &h)
	if err != nil || !done || !reflect.DeepEqual(describe(&h, n), before) {
		t.Errorf("done %v, %v: %+v", done, err, describe(&h, n))
	}
}

func TestLentSlicesCannotGrowIntoTheirNeighbours(t *testing.T) {
	buf := []byte(lines("POST http://h:1/p?q HTTP/1.1\nHost: a\nAccept: b\n\n"))
	var p Parser
	var h Head
	if _, done, err := p.Parse(buf, &DefaultLimits, &h); !done || err != nil {
		t.Fatal(done, err)
	}
	before := string(buf)
	name, value := h.Field(1)
	accept, _ := h.Get("accept")
	for _, s := range [][]byte{h.Method, h.Target, h.Path, h.Query, h.Authority, name, value,
		accept} {
		_ = append(s, "XXXX"...)
	}
	if string(buf) != before {
		t.Errorf("buffer became %q", buf)
	}
}

// An idle client in the middle of its head costs this and its bytes.
func TestParserIsSmallAndHoldsNoPointers(t *testing.T) {
	if size := unsafe.Sizeof(Parser{}); size > 72 {
		t.Errorf("Parser has %d bytes", size)
	}
	typ := reflect.TypeFor[Parser]()
	for i := range typ.NumField() {
		switch f := typ.Field(i); f.Type.Kind() {
		case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		default:
			t.Errorf("field %s is a %s", f.Name, f.Type)
		}
	}
}

func TestGetFindsTheFirstFieldAndCountsThem(t *testing.T) {
	in := []byte(lines("GET / HTTP/1.1\nACCEPT: \t one \t\nHost: a\naccept:two\nAccept-Language: de\nEmpty:\nX: host:b\n\n"))
	var p Parser
	var h Head
	if _, done, err := p.Parse(in, &DefaultLimits, &h); !done || err != nil {
		t.Fatal(done, err)
	}
	tests := []struct {
		name, value string
		n           int
	}{
		{"accept", "one", 2}, {"host", "a", 1}, {"accept-language", "de", 1}, {"empty", "", 1},
		{"x", "host:b", 1},
		{"absent", "", 0}, {"accep", "", 0}, {"accept-", "", 0}, {"cept", "", 0}, {"", "", 0},
		{strings.Repeat("long", 100), "", 0},
	}
	for _, test := range tests {
		if value, n := h.Get(test.name); string(value) != test.value || n != test.n {
			t.Errorf("Get(%q) = %q, %d; want %q, %d", test.name, value, n, test.value, test.n)
		}
	}
	for i := range h.Fields() {
		name, value := h.Field(i)
		first, n := h.Get(string(bytes.ToLower(name)))
		if n == 1 && !bytes.Equal(first, value) {
			t.Errorf("field %d is %q, Get finds %q", i, value, first)
		}
	}
	var empty Head
	if _, n := empty.Get("host"); n != 0 || empty.Fields() != 0 {
		t.Error("zero Head has fields")
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("Field out of range does not panic")
			}
		}()
		h.Field(h.Fields())
	}()
}

func TestBodyIsAnnounced(t *testing.T) {
	for field, hasBody := range map[string]bool{
		"": false, "Content-Length: 0\n": false, "Content-Length: 000\n": false,
		"Content-Length: 1\n": true, "Transfer-Encoding: chunked\n": true,
	} {
		var p Parser
		var h Head
		in := lines("POST / HTTP/1.1\nHost: a\n" + field + "\n")
		if _, done, err := p.Parse([]byte(in), &DefaultLimits, &h); !done || err != nil ||
			h.HasBody != hasBody {
			t.Errorf("%q: done %v, %v, HasBody %v", field, done, err, h.HasBody)
		}
	}
}
