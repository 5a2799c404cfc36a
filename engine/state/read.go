package state

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"io/fs"
	"os"
	"time"
)

// Found is a file that was read.
type Found struct {
	Clean   bool // nothing has happened since it was written
	Written time.Time
	Size    int64
}

// Bad is a file that could not be read, and where it is now.
type Bad struct {
	Aside string
	Err   error
}

// Read reads what was written last, by load. It returns nil if there is nothing that can be read.
// load is called for a whole file only, and is to have taken nothing when it returns an error: such
// a file is bad, as one is whose checksum or version is wrong. Bad files are put aside.
func (d *Dir) Read(now time.Time, load func(*Reader, Found) error) (*Found, []Bad, error) {
	var bad []Bad
	for _, name := range []string{currentName, usedName} {
		found, wrong, err := d.readFile(name, load)
		if err != nil {
			return nil, bad, err
		}
		if wrong == nil && found != nil {
			return found, bad, nil
		}
		if wrong != nil {
			aside := d.name(badName + now.UTC().Format("20060102T150405.000Z"))
			if err := os.Rename(d.name(name), aside); err != nil {
				return nil, bad, err
			}
			bad = append(bad, Bad{aside, wrong})
		}
	}
	return nil, bad, nil
}

// readFile returns what is wrong with the file's bytes, or an error that says nothing of them.
func (d *Dir) readFile(name string, load func(*Reader, Found) error) (found *Found, wrong,
	err error) {
	f, err := os.Open(d.name(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	found = &Found{Size: info.Size()}
	if wrong, err = found.header(f); wrong != nil || err != nil {
		return nil, wrong, err
	}
	found.Clean = found.Clean && name == currentName
	if wrong, err = checkSum(f, found.Size); wrong != nil || err != nil {
		return nil, wrong, err
	}
	if _, err := f.Seek(int64(headerSize), io.SeekStart); err != nil {
		return nil, nil, err
	}
	r := newReader(f, found.Size-int64(headerSize+sumSize))
	if wrong := load(r, *found); wrong != nil {
		return nil, wrong, nil
	}
	return found, nil, nil
}

func (found *Found) header(f io.Reader) (wrong, err error) {
	if found.Size < int64(headerSize+sumSize) {
		return fmt.Errorf("it has %d bytes: expected at least %d", found.Size,
			headerSize+sumSize), nil
	}
	h := make([]byte, headerSize)
	if _, err := io.ReadFull(f, h); err != nil {
		return nil, err
	}
	kind, rest := string(h[:len(magic)]), h[len(magic):]
	switch {
	case kind != magic:
		return errors.New("it is no history of ssedge"), nil
	case rest[0] != version:
		return fmt.Errorf("it has version %d: expected %d", rest[0], version), nil
	case rest[1] > 1:
		return fmt.Errorf("its flags are %d", rest[1]), nil
	}
	found.Clean = rest[1] == 1
	found.Written = time.UnixMilli(int64(binary.BigEndian.Uint64(rest[2:])))
	return nil, nil
}

// checkSum reads all of a file.
func checkSum(f io.ReadSeeker, size int64) (wrong, err error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	sum := crc64.New(table)
	if _, err := io.CopyBuffer(struct{ io.Writer }{sum}, io.LimitReader(f, size-sumSize),
		make([]byte, bufferSize)); err != nil {
		return nil, err
	}
	var stands [sumSize]byte
	if _, err := io.ReadFull(f, stands[:]); err != nil {
		return nil, err
	}
	if is := sum.Sum64(); is != binary.BigEndian.Uint64(stands[:]) {
		return fmt.Errorf("its checksum is %016x: expected %x", is, stands), nil
	}
	return nil, nil
}

// Reader reads the sections of a file whose checksum is right.
type Reader struct {
	from *bufio.Reader
	left int64
	buf  []byte
}

func newReader(f io.Reader, size int64) *Reader {
	return &Reader{from: bufio.NewReaderSize(io.LimitReader(f, size), bufferSize), left: size}
}

// Next returns the next record of the section, nil behind the last one. It is valid until the next
// call.
func (r *Reader) Next() ([]byte, error) {
	length, err := binary.ReadUvarint(countReader{r})
	switch {
	case err != nil:
		return nil, fmt.Errorf("a section ends early: %w", err)
	case length == 0:
		return nil, nil
	case length > uint64(r.left):
		return nil, fmt.Errorf("a record of %d bytes in %d", length, r.left)
	}
	if uint64(cap(r.buf)) < length {
		r.buf = make([]byte, length)
	}
	r.buf = r.buf[:length]
	n, err := io.ReadFull(r.from, r.buf)
	r.left -= int64(n)
	return r.buf, err
}

// countReader counts what ReadUvarint reads.
type countReader struct{ *Reader }

func (c countReader) ReadByte() (byte, error) {
	b, err := c.from.ReadByte()
	if err == nil {
		c.left--
	}
	return b, err
}
