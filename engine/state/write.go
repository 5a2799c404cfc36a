package state

import (
	"bufio"
	"encoding/binary"
	"hash"
	"hash/crc64"
	"os"
	"time"
)

const (
	magic      = "ssedge history\n"
	version    = 1
	headerSize = len(magic) + 1 + 1 + 8
	sumSize    = crc64.Size
	bufferSize = 1 << 20
)

var table = crc64.MakeTable(crc64.ECMA)

// Section hands its records to put, which lends them to the file. No record is empty.
type Section func(put func(record []byte) error) error

// Write writes a new file in place of the one before, and returns its size. clean says that nothing
// will happen any more. stop is asked before each record, and before the new file takes its place:
// what it returns ends the writing. After an error the file before is still there.
func (d *Dir) Write(now time.Time, clean bool, stop func() error, sections ...Section) (size int64,
	err error) {
	name := d.name(newName)
	f, err := d.create(name)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(name)
		}
	}()
	w := newWriter(f)
	w.header(now, clean)
	for _, section := range sections {
		if err := section(func(record []byte) error {
			if err := stop(); err != nil {
				return err
			}
			return w.record(record)
		}); err != nil {
			return 0, err
		}
		w.write([]byte{0})
	}
	if err := w.end(); err != nil {
		return 0, err
	}
	if err := stop(); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	if err := f.Close(); err != nil {
		return 0, err
	}
	if err := stop(); err != nil {
		return 0, err
	}
	if err := os.Rename(name, d.name(currentName)); err != nil {
		return 0, err
	}
	os.Remove(d.name(usedName)) // it is older
	return w.size, d.sync()
}

// writer writes a file. The first error stays.
type writer struct {
	to   *bufio.Writer
	sum  hash.Hash64
	size int64
	err  error
}

func newWriter(f file) *writer {
	return &writer{to: bufio.NewWriterSize(f, bufferSize), sum: crc64.New(table)}
}

func (w *writer) write(b []byte) error {
	if w.err == nil {
		w.sum.Write(b)
		w.size += int64(len(b))
		_, w.err = w.to.Write(b)
	}
	return w.err
}

func (w *writer) header(now time.Time, clean bool) {
	h := append([]byte(magic), version, 0)
	if clean {
		h[len(h)-1] = 1
	}
	w.write(binary.BigEndian.AppendUint64(h, uint64(now.UnixMilli())))
}

func (w *writer) record(b []byte) error {
	var length [binary.MaxVarintLen64]byte
	w.write(binary.AppendUvarint(length[:0], uint64(len(b))))
	return w.write(b)
}

// end writes the checksum, and what is still in the buffer.
func (w *writer) end() error {
	if err := w.write(w.sum.Sum(nil)); err != nil {
		return err
	}
	return w.to.Flush()
}
