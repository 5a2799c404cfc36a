package load

import (
	"errors"
	"fmt"
)

// framing is where in a body in chunks (RFC 9112, 7.1) a stream's next byte belongs.
type framing uint8

const (
	untilClose     framing = iota // no chunks
	chunkSize                     // the first digit of a chunk's size
	chunkDigits                   // the others
	chunkExtension                // what follows them up to the LF
	chunkData
	chunkEnd     // the CRLF behind it
	chunkTrailer // behind the last chunk
)

var (
	errLastChunk = errors.New("the server ended the stream")
	chunkMax     = uint32(1 << 28)
)

// body takes received bytes apart into chunks, if the body has them, and scans what is in them.
func (l *loop) body(slot int32, b []byte) error {
	s := &l.streams[slot]
	if s.body == untilClose {
		l.scan(slot, b)
		return nil
	}
	for len(b) > 0 {
		switch c := b[0]; s.body {
		case chunkData:
			n := min(len(b), int(s.chunkLeft))
			l.scan(slot, b[:n])
			b = b[n:]
			if s.chunkLeft -= uint32(n); s.chunkLeft == 0 {
				s.body = chunkEnd
			}
			continue
		case chunkSize, chunkDigits:
			digit, ok := hexDigit(c)
			switch {
			case ok && s.chunkLeft < chunkMax:
				s.chunkLeft, s.body = s.chunkLeft<<4|digit, chunkDigits
			case ok:
				return fmt.Errorf("expected a chunk of at most %d bytes, found a longer one",
					chunkMax)
			case s.body == chunkDigits && c == '\n':
				s.begin()
			case s.body == chunkDigits && (c == '\r' || c == ';' || c == ' ' || c == '\t'):
				s.body = chunkExtension
			default:
				return fmt.Errorf("expected the size of a chunk, found %q", c)
			}
		case chunkExtension:
			if c == '\n' {
				s.begin()
			}
		case chunkEnd:
			if c == '\n' {
				s.body = chunkSize
			} else if c != '\r' {
				return fmt.Errorf("expected the end of a chunk, found %q", c)
			}
		case chunkTrailer:
			return errLastChunk
		}
		b = b[1:]
	}
	if s.body == chunkTrailer {
		return errLastChunk
	}
	return nil
}

// begin is called behind a chunk's size.
func (s *stream) begin() {
	s.body = chunkData
	if s.chunkLeft == 0 {
		s.body = chunkTrailer
	}
}

func hexDigit(c byte) (uint32, bool) {
	switch {
	case '0' <= c && c <= '9':
		return uint32(c - '0'), true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return uint32(c|0x20-'a') + 10, true
	}
	return 0, false
}
