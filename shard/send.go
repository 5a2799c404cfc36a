package shard

import "ssedge/shard/sys"

// send writes pieces, total bytes in all, and returns how many the socket took; fewer than total
// only if it is full. It closes the stream and returns false if the connection is broken.
func (s *Shard) send(i uint32, sl *slot, pieces [][]byte, total int) (int, bool) {
	sent := 0
	for {
		s.sends++
		n, all, errno := s.kernelSend(int(sl.fd), pieces, sent)
		if errno == eagain {
			return sent, true
		}
		if errno != 0 {
			s.close(i, sl, reasonOf(errno))
			return sent, false
		}
		sent += n
		sl.lastWrite = s.tick
		s.stats.countSend(n)
		if sent == total || all {
			// The socket is full: asking again would only cost a call.
			return sent, true
		}
	}
}

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
