package record

import (
	"bytes"
	"math"
	"testing"

	"ssedge/proto/eventid"
)

func record() []byte {
	b := AppendNumber(nil, math.MaxUint64)
	b = AppendID(b, eventid.ID{MS: 1_764_560_000_123, Seq: 7})
	b = AppendBytes(b, "name")
	b = AppendBytes(b, []byte{})
	return append(b, "rest"...)
}

// read reads such a record, and reports whether it was whole.
func read(t *testing.T, b []byte) bool {
	r := Read(b)
	n, id, name, none := r.Number(), r.ID(), r.Bytes(), r.Bytes()
	if r.Broken() {
		if r.Left() != nil || r.Number() != 0 || r.Bytes() != nil {
			t.Error("a broken reader returned something")
		}
		return false
	}
	if n != math.MaxUint64 || id != (eventid.ID{MS: 1_764_560_000_123, Seq: 7}) ||
		string(name) != "name" || len(none) > 0 || !bytes.HasPrefix([]byte("rest"), r.Left()) {
		t.Errorf("found %d %v %q %q %q", n, id, name, none, r.Left())
	}
	return true
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	whole := record()
	for n := range len(whole) + 1 {
		if got, want := read(t, whole[:n]), n >= len(whole)-len("rest"); got != want {
			t.Errorf("%d of %d bytes: whole is %v", n, len(whole), got)
		}
	}
}

// TestLengthsBeyondTheRecord take no memory.
func TestLengthsBeyondTheRecord(t *testing.T) {
	for _, b := range [][]byte{AppendNumber(nil, math.MaxUint64), {2, 'x'},
		bytes.Repeat([]byte{0xff}, 11)} {
		if r := Read(b); r.Bytes() != nil || !r.Broken() {
			t.Errorf("%x was read", b)
		}
	}
}
