package load

import "hash/maphash"

// position is an event id: a number, or two with a sign between them as in "<ms>-<seq>". Any other text is known by its
// hash only.
type position struct {
	a, b uint64
	kind kind
}

type kind uint8

const (
	none kind = iota
	numeric
	opaque
)

var seed = maphash.MakeSeed()

func parsePosition(id []byte) position {
	p := position{kind: numeric}
	n := &p.a
	for i, c := range id {
		digit := c - '0'
		switch {
		case digit <= 9 && *n < 1<<60:
			*n = *n*10 + uint64(digit)
		case (c == '-' || c == ':') && n == &p.a && i > 0:
			n = &p.b
		default:
			return position{a: maphash.Bytes(seed, id), kind: opaque}
		}
	}
	if len(id) == 0 {
		return position{kind: opaque}
	}
	return p
}

// after reports whether p may follow q, which is of the same kind.
func (p position) after(q position) bool {
	if p.kind == opaque {
		return p != q
	}
	return p.a > q.a || p.a == q.a && p.b > q.b
}
