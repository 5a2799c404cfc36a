package envelope

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"ssedge/proto/eventid"
)

func TestEnvelopesAreReadBack(t *testing.T) {
	for _, c := range []struct {
		text string
		m    Message
	}{
		{"\x00s1 5-0 0-0 0\nhello", Message{ID: eventid.ID{MS: 5}, Data: []byte("hello")}},
		{"\x00s1 1753000000123-7 1753000000122-0 5\nprice{}", Message{
			ID: eventid.ID{MS: 1753000000123, Seq: 7}, Prev: eventid.ID{MS: 1753000000122},
			Event: []byte("price"), Data: []byte("{}"),
		}},
		{"\x00s1 5-1 5-0 3 1500\n\x00\n\r", Message{
			ID: eventid.ID{MS: 5, Seq: 1}, Prev: eventid.ID{MS: 5}, Event: []byte("\x00\n\r"),
			RetryMS: 1500,
		}},
		{"\x00s1 18446744073709551615-18446744073709551615 18446744073709551615-18446744073709551614 0 999999999999999999\n",
			Message{
				ID:      eventid.ID{MS: math.MaxUint64, Seq: math.MaxUint64},
				Prev:    eventid.ID{MS: math.MaxUint64, Seq: math.MaxUint64 - 1},
				RetryMS: 999999999999999999,
			}},
		{"\x00s2 5-0 0-0 5 4\nnewspricehello", Message{ID: eventid.ID{MS: 5}, Topic: []byte("news"),
			Event: []byte("price"), Data: []byte("hello")}},
		{"\x00s2 5-0 0-0 0 1 1500\nx",
			Message{ID: eventid.ID{MS: 5}, Topic: []byte("x"), RetryMS: 1500}},
	} {
		if got := Append(nil, &c.m); string(got) != c.text {
			t.Errorf("written %q, expected %q", got, c.text)
		}
		m, err := Parse([]byte(c.text))
		if err != nil || !same(&m, &c.m) || m.Raw() {
			t.Errorf("%q is read as %+v, %v; expected %+v", c.text, m, err, c.m)
		}
	}
}

func TestWhatHasNoEnvelopeIsData(t *testing.T) {
	for _, text := range []string{"", "hello", "s1 5-0 0-0 0\n", "\n\x00s1 5-0 0-0 0\n",
		"\xff\x00"} {
		m, err := Parse([]byte(text))
		if err != nil || !m.Raw() || string(m.Data) != text || len(m.Event) != 0 {
			t.Errorf("%q is read as %+v, %v", text, m, err)
		}
	}
}

func TestBadEnvelopesAreRefused(t *testing.T) {
	for text, want := range map[string]error{
		"\x00":                                       ErrVersion,
		"\x00s":                                      ErrVersion,
		"\x00s3 5-0 0-0 0\n":                         ErrVersion,
		"\x00s10 5-0 0-0 0\n":                        ErrVersion,
		"\x00x1 5-0 0-0 0\n":                         ErrVersion,
		"\x00s1 ":                                    ErrHeader,
		"\x00s1 5-0 0-0 0":                           ErrHeader, // no line feed
		"\x00s1 5-0 0-0 6\nhello":                    ErrHeader, // more than there is
		"\x00s1 5-0 0-0 -1\nhello":                   ErrHeader,
		"\x00s1 5-0 0-0 00\nhello":                   ErrHeader,
		"\x00s1 5-0 0-0 9223372036854775807\n":       ErrHeader,
		"\x00s1 5-0 0-0\nhello":                      ErrHeader,
		"\x00s1 5-0 0-0 \nhello":                     ErrHeader,
		"\x00s1 0-0 0-0 0\nhello":                    ErrHeader, // no id
		"\x00s1 5-0 5-0 0\nhello":                    ErrHeader, // its own predecessor
		"\x00s1 5-0 6-0 0\nhello":                    ErrHeader,
		"\x00s1 5 0-0 0\nhello":                      ErrHeader,
		"\x00s1 5-0 0-0 0 \nhello":                   ErrHeader,
		"\x00s1 5-0 0-0 0 0\nhello":                  ErrHeader,
		"\x00s1 5-0 0-0 0 1 1\nhello":                ErrHeader,
		"\x00s2 5-0 0-0 0\nhello":                    ErrHeader, // no topic
		"\x00s2 5-0 0-0 0 0\nhello":                  ErrHeader,
		"\x00s2 5-0 0-0 0 \nhello":                   ErrHeader,
		"\x00s2 5-0 0-0 0 6\nhello":                  ErrHeader,
		"\x00s2 5-0 0-0 3 3\nhello":                  ErrHeader,
		"\x00s2 5-0 0-0 0 1 0\nhello":                ErrHeader,
		"\x00s2 5-0 0-0 0 999999999999999999\nhello": ErrHeader,
		"\x00s1  5-0 0-0 0\nhello":                   ErrHeader,
		"\x00s1 05-0 0-0 0\nhello":                   ErrHeader,
		"\x00s1 " + strings.Repeat("5", 1<<16) + "-0 0-0 0\nhello": ErrHeader,
	} {
		m, err := Parse([]byte(text))
		if !errors.Is(err, want) {
			t.Errorf("%.80q is read as %+v, %v; expected %v", text, m, err, want)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("%.80q: an error of %d bytes", text, len(err.Error()))
		}
	}
}

func same(a, b *Message) bool {
	return a.ID == b.ID && a.Prev == b.Prev && a.RetryMS == b.RetryMS &&
		bytes.Equal(a.Topic, b.Topic) && bytes.Equal(a.Event, b.Event) &&
		bytes.Equal(a.Data, b.Data)
}

// What is read is written back as it was; what is written is read back.
func FuzzParse(f *testing.F) {
	f.Add([]byte("\x00s1 5-0 0-0 5 100\npricehello"))
	f.Add([]byte("\x00s1 5-0 0-0 0\n"))
	f.Add([]byte("\x00s2 5-0 0-0 5 4 100\nnewspricehello"))
	f.Add([]byte("hello"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		if m.Raw() {
			if !bytes.Equal(m.Data, b) {
				t.Fatalf("%q is read as %+v", b, m)
			}
			return
		}
		if back := Append(nil, &m); !bytes.Equal(back, b) {
			t.Fatalf("%q is written back as %q", b, back)
		}
	})
}
