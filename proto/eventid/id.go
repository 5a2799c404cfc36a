package eventid

import (
	"bytes"
	"cmp"
	"math"
	"strconv"
)

// ID names an event: MS is milliseconds since the Unix epoch, Seq tells events of the same
// millisecond apart. Within a topic ids strictly increase. Its text is "<ms>-<seq>" in decimal, the
// shape of a Redis stream id. The zero ID means "no event".
type ID struct{ MS, Seq uint64 }

// Compare orders ids by MS, then Seq: -1, 0 or +1 as a is before, at or after b.
func (a ID) Compare(b ID) int {
	if a.MS != b.MS {
		return cmp.Compare(a.MS, b.MS)
	}
	return cmp.Compare(a.Seq, b.Seq)
}

// Less reports whether a comes before b.
func (a ID) Less(b ID) bool {
	return a.MS < b.MS || a.MS == b.MS && a.Seq < b.Seq
}

// IsZero reports whether a is the zero ID, "no event".
func (a ID) IsZero() bool { return a == ID{} }

// IsBound reports whether a is the last ID of its millisecond. No event is given that: among ids it
// stands for the time after it, which is before every event of the next millisecond.
func (a ID) IsBound() bool { return a.Seq == math.MaxUint64 }

// Max returns the later of a and b.
func Max(a, b ID) ID {
	if a.Less(b) {
		return b
	}
	return a
}

// Append appends the text of a, at most [MaxPositionBytes] bytes.
func (a ID) Append(dst []byte) []byte { return a.appendBase(dst, 10) }

// String returns the text of a.
func (a ID) String() string { return string(a.Append(make([]byte, 0, MaxPositionBytes))) }

// Parse reads the text of an ID. It is false for anything [ID.Append] does not
// write. s is not kept.
func Parse(s []byte) (ID, bool) { return parseID(s, 10) }

func (a ID) appendBase(dst []byte, base int) []byte {
	dst = strconv.AppendUint(dst, a.MS, base)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, a.Seq, base)
}

func parseID(s []byte, base uint64) (ID, bool) {
	// A second '-' lands in the sequence number, where it is no digit.
	dash := bytes.IndexByte(s, '-')
	if dash < 0 {
		return ID{}, false
	}
	ms, ok := parseUint(s[:dash], base)
	if !ok {
		return ID{}, false
	}
	seq, ok := parseUint(s[dash+1:], base)
	if !ok {
		return ID{}, false
	}
	return ID{MS: ms, Seq: seq}, true
}
