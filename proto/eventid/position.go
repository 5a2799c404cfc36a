package eventid

import (
	"bytes"
	"math"
	"strconv"
)

// MaxPositionBytes bounds the decimal text of an [ID] or a [Position]: two
// numbers of 20 digits and a dash.
const MaxPositionBytes = 20 + 1 + 20

// Position is where a subscriber stands in one topic.
//
// With Time unset it is right after the event ID, written "<ms>-<seq>"; the zero Position is before
// every event. With Time set it is a point in time, written "<ms>": after every event with a
// smaller ID.MS and before every event with that ID.MS or a larger one. Streams of topics that have
// had no event yet are given a time. ID.Seq has no meaning in a time and is 0 in every Position
// made by this package.
type Position struct {
	ID   ID
	Time bool
}

// After is the position right after the event id.
func After(id ID) Position { return Position{ID: id} }

// At is the position at the point in time ms, in milliseconds since the Unix epoch.
func At(ms uint64) Position { return Position{ID: ID{MS: ms}, Time: true} }

// Among ids, a point in time stands as the last id that is possible before it ([ID.IsBound]).

// Before is the greatest id that does not lie after p: for a time, the last that is possible before
// it.
func Before(p Position) ID {
	if p.Time && p.ID.MS > 0 {
		return ID{MS: p.ID.MS - 1, Seq: math.MaxUint64}
	}
	return p.ID
}

// PositionOf is the inverse of [Before]: the position after id, a time if id stands for one.
func PositionOf(id ID) Position {
	if id.IsBound() && id.MS < math.MaxUint64 {
		return At(id.MS + 1)
	}
	return After(id)
}

// Precedes reports whether the event id lies after p: whether a subscriber that
// stands at p has yet to be sent it.
func (p Position) Precedes(id ID) bool {
	if p.Time {
		return id.MS >= p.ID.MS
	}
	return p.ID.Less(id)
}

// Append appends the text of p, at most [MaxPositionBytes] bytes.
func (p Position) Append(dst []byte) []byte { return p.appendBase(dst, 10) }

// AppendBase36 appends the text of p with its numbers in lower case base 36, as
// it stands in a vector: at most 27 bytes.
func (p Position) AppendBase36(dst []byte) []byte { return p.appendBase(dst, 36) }

// String returns the text of p.
func (p Position) String() string { return string(p.Append(make([]byte, 0, MaxPositionBytes))) }

// ParsePosition reads the text of a Position. It is false for anything
// [Position.Append] does not write. s is not kept.
func ParsePosition(s []byte) (Position, bool) { return parsePosition(s, 10) }

func (p Position) appendBase(dst []byte, base int) []byte {
	if p.Time {
		return strconv.AppendUint(dst, p.ID.MS, base)
	}
	return p.ID.appendBase(dst, base)
}

func parsePosition(s []byte, base uint64) (Position, bool) {
	if bytes.IndexByte(s, '-') < 0 {
		ms, ok := parseUint(s, base)
		if !ok {
			return Position{}, false
		}
		return At(ms), true
	}
	id, ok := parseID(s, base)
	return After(id), ok
}
