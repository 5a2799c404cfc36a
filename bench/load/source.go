package load

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// connectsPerSource is how many streams leave from one source address before the next is taken. An address has some
// 28,000 ports, but connect searches the free ones of one parity first and slows down well before they are gone.
const connectsPerSource = 10_000

// connects counts across all clients of the process, as ports stay taken for a while after a stream is closed.
var connects atomic.Uint64

// nextSource names the loopback address to connect from: 127.0.0.1 first, then 127.1.0.1 and on through 127.0.0.0/8.
func nextSource() [4]byte {
	block := (connects.Add(1) - 1) / connectsPerSource
	if block == 0 {
		return [4]byte{127, 0, 0, 1}
	}
	block--
	return [4]byte{127, byte(1 + block/(256*254)%254), byte(block / 254 % 256), byte(1 + block%254)}
}

// bindSource leaves the port to connect, which knows the destination and can share ports between destinations.
func bindSource(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrInet4{Addr: nextSource()})
}
