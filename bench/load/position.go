package load

import "hash/maphash"

// position is an event id: a number, or two with a sign between them as in "<ms>-<seq>". Any other
// text is known by its hash only. The zero value is that of no id.
type position struct{ a, b uint64 }

// opaque stands in b for an id that is no number; a is its hash then.
const opaque = ^uint64(0)

var seed = maphash.MakeSeed()

func parsePosition(id []byte) position {
	a, n := number(id)
	if n == len(id) {
		return position{a, 0}
	}
	if n > 0 && (id[n] == '-' || id[n] == ':') {
		if b, m := number(id[n+1:]); n+1+m == len(id) {
			return position{a, b}
		}
	}
	return position{maphash.Bytes(seed, id), opaque}
}

// number reads the digits that b begins with, as long as they make a number below 10^19, and how
// many they are.
func number(b []byte) (value uint64, n int) {
	for n < len(b) && n < 19 {
		digit := b[n] - '0'
		if digit > 9 {
			break
		}
		value = value*10 + uint64(digit)
		n++
	}
	return value, n
}

// follows reports whether an event with id p may come after one with id q. Two of different kinds
// may.
func (p position) follows(q position) bool {
	switch {
	case p.b == opaque || q.b == opaque:
		return p != q
	case q == position{}:
		return true
	}
	return p.a > q.a || p.a == q.a && p.b > q.b
}
