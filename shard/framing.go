package shard

import (
	"math"
	"slices"
	"strconv"
)

// Wire is how what a stream is owed becomes the bytes of its connection.
type Wire uint8

const (
	WireRaw    Wire = iota // the body ends with its connection (RFC 9112 6.3): it may stop anywhere
	WireChunk              // chunks (RFC 9112 7.1)
	WireAnswer             // one answer with its length: a poll (answer.go)
	wires
)

// framing is one wire. Payload goes out in units: what precedes one promises all of it to the
// client, whatever becomes of the log. So a unit is bounded, and what a full socket has not taken
// of one that was begun is copied (outbox).
type framing struct {
	// most payload of a unit, bytes; a longer event has several
	unit int
	// appends what precedes it; nil: nothing, no promise
	head     func(dst []byte, payload int) []byte
	tail     []byte // follows the payload
	lastUnit []byte // ends a body of whole units
	whole    bool   // the body is one unit, which is put together when it is due (answer.go)
}

// promises reports whether a unit, once it is begun, must be sent whole.
func (f *framing) promises() bool { return f.head != nil }

// headMax is the most bytes that precede a unit.
const headMax = 32

// unitMax is the most payload of a unit.
const unitMax = 16 << 10

var framings = [wires]framing{
	WireRaw: {unit: math.MaxInt}, // a unit is an event
	WireChunk: {
		unit: unitMax, head: appendChunkSize, tail: []byte("\r\n"), lastUnit: []byte("0\r\n\r\n"),
	},
	WireAnswer: {unit: math.MaxInt, whole: true},
}

// appendChunkSize appends the line before a chunk.
func appendChunkSize(dst []byte, payload int) []byte {
	return append(strconv.AppendUint(dst, uint64(payload), 16), "\r\n"...)
}

// framed makes a unit of what stands in b from from on.
func (f *framing) framed(b []byte, from int) []byte {
	if f.promises() {
		var head [headMax]byte
		b = slices.Insert(b, from, f.head(head[:0], len(b)-from)...)
	}
	return append(b, f.tail...)
}
