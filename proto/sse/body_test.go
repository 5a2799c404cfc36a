package sse

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// What AppendBody writes, ParseBody reads back, but for the ends of lines.
func FuzzParseBody(f *testing.F) {
	f.Add("price", "hello", int64(0))
	f.Add("", "a\nb\r\rc\r\n", int64(1500))
	f.Add("", "", int64(1))
	f.Add("x:y", " leading\n\n:colon", int64(0))
	f.Fuzz(func(t *testing.T, name, data string, retry int64) {
		e := Event{Name: []byte(name), Data: []byte(data), RetryMS: retry}
		if !e.writable() {
			return
		}
		body := AppendBody(nil, &e)
		got, err := ParseBody(body)
		want := strings.ReplaceAll(strings.ReplaceAll(data, "\r\n", "\n"), "\r", "\n")
		if err != nil || string(got.Name) != name || string(got.Data) != want ||
			got.RetryMS != max(retry, 0) {
			t.Fatalf("%q is read as %+v, %v", body, got, err)
		}
		if back := AppendBody(nil, &got); !bytes.Equal(back, body) {
			t.Fatalf("%q is written back as %q", body, back)
		}
	})
}

func TestParseBodyRefusesWhatIsNone(t *testing.T) {
	for _, b := range []string{"", "data: x", "event: x\n", "id: 5\ndata: x\n", "data: x\n\n",
		"retry: x\ndata:\n", ":\ndata:\n", "hello\n"} {
		if e, err := ParseBody([]byte(b)); !errors.Is(err, ErrBody) {
			t.Errorf("%q is read as %+v, %v", b, e, err)
		}
	}
}
