package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The address that handshakes are begun with, of the interface that bench/host-settings.sh makes: answers to others of its network
// go nowhere.
var server = [4]byte{10, 9, 0, 1}

// halfOpen: handshakes that are never completed.
func halfOpen() error {
	const n = 3000
	if err := sysctl("net.core.somaxconn", "2000"); err != nil {
		return err
	}
	fmt.Printf("net.ipv4.tcp_max_syn_backlog, tcp_syncookies: %d handshakes begun and not ended, somaxconn 2000\n", n)
	port := 7030
	for _, cookies := range []string{"1", "0"} {
		for _, backlog := range []string{"256", "10000"} {
			if err := sysctl("net.ipv4.tcp_syncookies", cookies); err != nil {
				return err
			}
			if err := sysctl("net.ipv4.tcp_max_syn_backlog", backlog); err != nil {
				return err
			}
			port++
			l, err := listen(server, port)
			if err != nil {
				return err
			}
			sent, drops := counter("SyncookiesSent"), counter("ListenDrops")
			if err := begin(n, port); err != nil {
				return err
			}
			time.Sleep(200 * time.Millisecond)
			fmt.Printf("  syncookies %s, tcp_max_syn_backlog %5s: %4d kept, cookies sent %d, ListenDrops %d\n", cookies, backlog, kept(port), counter("SyncookiesSent")-sent, counter("ListenDrops")-drops)
			unix.Close(l)
		}
	}
	if err := sysctl("net.core.somaxconn", "10000"); err != nil {
		return err
	}
	return sysctl("net.ipv4.tcp_syncookies", "1")
}

// begin sends the first packet of n handshakes, from as many addresses.
func begin(n, port int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for i := range n {
		from := [4]byte{10, 9, byte(1 + i/250), byte(1 + i%250)}
		if err := unix.Sendto(fd, syn(from, server, 20000, port), 0, &unix.SockaddrInet4{Addr: server}); err != nil {
			return err
		}
	}
	return nil
}

// syn is a packet of IPv4 that begins a connection.
func syn(from, to [4]byte, fromPort, toPort int) []byte {
	p := make([]byte, 44)
	p[0], p[8], p[9] = 0x45, 64, unix.IPPROTO_TCP // the kernel fills in length and checksum
	copy(p[12:], from[:])
	copy(p[16:], to[:])
	t := p[20:]
	binary.BigEndian.PutUint16(t, uint16(fromPort))
	binary.BigEndian.PutUint16(t[2:], uint16(toPort))
	binary.BigEndian.PutUint32(t[4:], 1)
	t[12], t[13] = 6<<4, 2 // 24 bytes of header, SYN
	binary.BigEndian.PutUint16(t[14:], 65535)
	copy(t[20:], []byte{2, 4, 5, 180}) // segments of 1460 bytes
	sum := uint32(unix.IPPROTO_TCP + len(t))
	for _, part := range [][]byte{from[:], to[:], t} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(t[16:], ^uint16(sum))
	return p
}

// kept is how many handshakes at a port the kernel keeps (SYN_RECV in /proc/net/tcp).
func kept(port int) (n int) {
	b, _ := os.ReadFile("/proc/net/tcp")
	for line := range strings.Lines(string(b)) {
		if words := strings.Fields(line); len(words) > 3 && words[3] == "03" && strings.HasSuffix(words[1], fmt.Sprintf(":%04X", port)) {
			n++
		}
	}
	return n
}
