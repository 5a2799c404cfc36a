// Package mark is what a payload of the load tool says about itself: which topic it was published
// to, as which of that topic's events, and when it was due. A mark is 16 ASCII bytes that survive
// JSON, URLs and form bodies unescaped, so that it is found again in whatever a server wraps around
// a payload:
//
//	~ttttsssssdddddd   topic, sequence number, due time; digits of base64url, the highest first
//
// Times are microseconds of CLOCK_MONOTONIC, the same for all processes of a machine, modulo 2^36
// (19 hours).
package mark

import (
	"bytes"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Bytes is the length of a mark, and of the shortest payload.
	Bytes = 16
	// TopicsMax and SeqMax bound what a mark can say.
	TopicsMax = 1 << (6 * topicDigits)
	SeqMax    = 1<<(6*seqDigits) - 1

	first       = '~'
	filler      = 'x'
	topicDigits = 4
	seqDigits   = 5
	dueDigits   = 6
	dueMask     = 1<<(6*dueDigits) - 1
	digits      = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	noDigit     = 0xff
)

// Mark is one event's.
type Mark struct {
	Topic uint32
	Seq   uint32 // from 1
	Due   Time
}

// Time is microseconds of the machine's monotonic clock, modulo 2^36.
type Time uint64

// Since is how long after u t is. Both must lie within 19 hours; a t before u comes out as a very
// long time.
func (t Time) Since(u Time) time.Duration {
	return time.Duration((t-u)&dueMask) * time.Microsecond
}

// Add is the time that long after t.
func (t Time) Add(d time.Duration) Time { return (t + Time(d.Microseconds())) & dueMask }

// The process's own clock is cheaper to read than the system call, and runs with it.
var began, origin = readTogether()

// readTogether reads both clocks until it was hardly interrupted between them: all processes of a
// machine must agree to far less than an event takes.
func readTogether() (began time.Time, origin time.Duration) {
	closest := time.Duration(math.MaxInt64)
	for range 20 {
		before := time.Now()
		system := monotonic()
		if apart := time.Since(before); apart < closest {
			began, origin, closest = before, system-apart/2, apart
		}
	}
	return began, origin
}

func monotonic() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic("clock_gettime: " + err.Error()) // no Linux is without it
	}
	return time.Duration(now.Nano())
}

// Now is the present time.
func Now() Time { return At(time.Now()) }

// At is t, which must have a monotonic reading.
func At(t time.Time) Time {
	return Time((origin + t.Sub(began)).Microseconds()) & dueMask
}

// Append appends a payload of size bytes, at least Bytes, that begins with m.
func Append(dst []byte, m Mark, size int) []byte {
	dst = append(dst, first)
	dst = appendNumber(dst, uint64(m.Topic), topicDigits)
	dst = appendNumber(dst, uint64(m.Seq), seqDigits)
	dst = appendNumber(dst, uint64(m.Due), dueDigits)
	for n := Bytes; n < size; n++ {
		dst = append(dst, filler)
	}
	return dst
}

// Fills reports whether b, what follows a mark, begins with the rest of a payload, n bytes, or as
// many as b has.
func Fills(b []byte, n int) bool {
	for _, c := range b[:min(len(b), max(n, 0))] {
		if c != filler {
			return false
		}
	}
	return true
}

func appendNumber(dst []byte, n uint64, width int) []byte {
	for shift := 6 * (width - 1); shift >= 0; shift -= 6 {
		dst = append(dst, digits[n>>shift&63])
	}
	return dst
}

// Find returns the first mark in b and where it begins; -1 if there is none. It looks first at
// hint, where the last one was.
func Find(b []byte, hint int) (m Mark, at int) {
	if hint < len(b) && b[hint] == first {
		if m, ok := parse(b[hint:]); ok {
			return m, hint
		}
	}
	for at := 0; at+Bytes <= len(b); at++ {
		next := bytes.IndexByte(b[at:], first)
		if next < 0 {
			break
		}
		at += next
		if m, ok := parse(b[at:]); ok {
			return m, at
		}
	}
	return Mark{}, -1
}

var values = func() (v [256]uint8) {
	for i := range v {
		v[i] = noDigit
	}
	for i := range len(digits) {
		v[digits[i]] = uint8(i)
	}
	return v
}()

// parse takes the mark that b begins with.
func parse(b []byte) (Mark, bool) {
	if len(b) < Bytes {
		return Mark{}, false
	}
	b = b[:Bytes]
	var m Mark
	var bad uint8
	for _, c := range b[1:5] {
		v := values[c]
		bad |= v
		m.Topic = m.Topic<<6 | uint32(v&63)
	}
	for _, c := range b[5:10] {
		v := values[c]
		bad |= v
		m.Seq = m.Seq<<6 | uint32(v&63)
	}
	for _, c := range b[10:16] {
		v := values[c]
		bad |= v
		m.Due = m.Due<<6 | Time(v&63)
	}
	return m, bad < 64
}
