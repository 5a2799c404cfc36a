package load

import "golang.org/x/sys/unix"

// connectsPerSource is how many streams leave from one source address before the next is taken. An
// address has some 28,000 ports, but connect searches the free ones of one parity first and slows
// down well before they are gone.
const connectsPerSource = 10_000

// source names the loopback address that a stream connects from: 127.0.0.1 first, then 127.1.0.1
// and on through 127.0.0.0/8.
func source(number int32) [4]byte {
	block := number / connectsPerSource
	if block == 0 {
		return [4]byte{127, 0, 0, 1}
	}
	block--
	return [4]byte{127, byte(1 + block/(256*254)%254), byte(block / 254 % 256), byte(1 + block%254)}
}

// bindSource leaves the port to connect, which knows the destination and can share ports between
// destinations.
func bindSource(fd int, number int32) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrInet4{Addr: source(number)})
}
