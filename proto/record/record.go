// Package record is what records of state (shard/log, shard/topic, engine/fanin) consist of:
// numbers as varints (encoding/binary), and bytes and texts behind their length. Like all of proto
// it owns nothing: what it returns lies in the record.
package record

import (
	"encoding/binary"

	"ssedge/proto/eventid"
)

// AppendNumber appends a number.
func AppendNumber(dst []byte, n uint64) []byte { return binary.AppendUvarint(dst, n) }

// AppendID appends an id.
func AppendID(dst []byte, id eventid.ID) []byte {
	return AppendNumber(AppendNumber(dst, id.MS), id.Seq)
}

// AppendBytes appends bytes, or a text, and their length before them.
func AppendBytes[T ~[]byte | ~string](dst []byte, b T) []byte {
	return append(AppendNumber(dst, uint64(len(b))), b...)
}

// Reader reads a record from its beginning. After a read of something that is not there it is
// broken: all further reads return zeros.
type Reader struct {
	left   []byte
	broken bool
}

// Read returns a reader of b.
func Read(b []byte) Reader { return Reader{left: b} }

// Broken reports whether the record ended early.
func (r *Reader) Broken() bool { return r.broken }

// Left returns what was not read yet; nil of a broken reader.
func (r *Reader) Left() []byte { return r.left }

func (r *Reader) end() { *r = Reader{broken: true} }

// Number reads a number.
func (r *Reader) Number() uint64 {
	n, size := binary.Uvarint(r.left)
	if size <= 0 {
		r.end()
		return 0
	}
	r.left = r.left[size:]
	return n
}

// ID reads an id.
func (r *Reader) ID() eventid.ID {
	ms := r.Number()
	return eventid.ID{MS: ms, Seq: r.Number()}
}

// Bytes reads bytes and the length before them.
func (r *Reader) Bytes() (b []byte) {
	n := r.Number()
	if n > uint64(len(r.left)) {
		r.end()
		return nil
	}
	b, r.left = r.left[:n], r.left[n:]
	return b
}
