package http1

import "testing"

func TestAcceptPathDoesNotAllocate(t *testing.T) {
	buf := []byte(chrome)
	var p Parser
	var h Head
	allocs := testing.AllocsPerRun(100, func() {
		p.Reset()
		for _, end := range []int{len(buf) / 3, len(buf)} {
			if _, done, err := p.Parse(buf[:end], &DefaultLimits, &h); err != nil ||
				done != (end == len(buf)) {
				t.Fatal(done, err)
			}
		}
		if id, n := h.Get("last-event-id"); n != 1 || len(id) != 15 {
			t.Fatal(n, string(id))
		}
		h.Field(h.Fields() - 1)
	})
	if allocs != 0 {
		t.Errorf("Parse, Get and Field: %v allocations", allocs)
	}
}

func TestRefusalDoesNotAllocate(t *testing.T) {
	buf := []byte("GET / HTTP/1.1\r\nHost : a\r\n")
	var p Parser
	var h Head
	allocs := testing.AllocsPerRun(100, func() {
		p.Reset()
		_, _, err := p.Parse(buf, &DefaultLimits, &h)
		if err != errFieldName {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("Parse: %v allocations", allocs)
	}
}

func TestQueryDoesNotAllocate(t *testing.T) {
	query := []byte("topic=orders%2F42&topic=all+news&&last_event_id=1-2")
	dst := make([]byte, 0, 64)
	allocs := testing.AllocsPerRun(100, func() {
		if err := CheckQuery(query); err != nil {
			t.Fatal(err)
		}
		n := 0
		for key, value, rest, ok := NextPair(query); ok; key, value, rest, ok = NextPair(rest) {
			dst, ok = AppendUnescaped(dst[:0], value)
			if !ok || len(key) == 0 {
				t.Fatal(string(key), string(value))
			}
			n++
		}
		if n != 3 {
			t.Fatal(n)
		}
	})
	if allocs != 0 {
		t.Errorf("CheckQuery, NextPair and AppendUnescaped: %v allocations", allocs)
	}
}

func BenchmarkParseChrome(b *testing.B) {
	buf := []byte(chrome)
	var p Parser
	var h Head
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		p.Reset()
		if _, done, err := p.Parse(buf, &DefaultLimits, &h); err != nil || !done {
			b.Fatal(done, err)
		}
	}
}

// BenchmarkGetLast looks for the field farthest from the start.
func BenchmarkGetLast(b *testing.B) {
	var p Parser
	var h Head
	if _, done, err := p.Parse([]byte(chrome), &DefaultLimits, &h); err != nil || !done {
		b.Fatal(done, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, n := h.Get("last-event-id"); n != 1 {
			b.Fatal(n)
		}
	}
}
