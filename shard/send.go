package shard

import (
	"strconv"

	"ssedge/shard/sys"
)

const (
	eagain    = sys.EAGAIN
	piecesMax = sys.PiecesMax
)

// kernelSend offers the kernel the pieces from byte offset on. all says that it
// looked at all of them: then it took less only because the socket is full.
func (s *Shard) kernelSend(fd int, pieces [][]byte, offset int) (n int, all bool, errno sys.Errno) {
	for offset > 0 && offset >= len(pieces[0]) {
		offset -= len(pieces[0])
		pieces = pieces[1:]
	}
	if len(pieces) == 1 {
		n, errno = s.kernel.Send(fd, pieces[0][offset:])
		return n, true, errno
	}
	if offset > 0 {
		s.resumed = append(append(s.resumed[:0], pieces[0][offset:]), pieces[1:]...)
		pieces = s.resumed
	}
	n, errno = s.kernel.SendV(fd, pieces)
	return n, len(pieces) <= piecesMax, errno
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }
