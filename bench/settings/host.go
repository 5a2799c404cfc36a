package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// wholeHost shows settings that are the host's: it is for a virtual machine of its own (bench/host-settings-guest.sh).
func wholeHost() error {
	for _, value := range []string{"16384", "100"} {
		if err := orphans(value); err != nil {
			return err
		}
	}
	for _, value := range []string{"500000 750000 1000000", "750 1000 1500"} {
		if err := tcpMem(value); err != nil {
			return err
		}
	}
	return nil
}

// unread opens n connections whose server has more for them than they take: clients have small windows, and do not read.
func unread(l, n, port int) (clients, accepted []int, sent int) {
	data := make([]byte, 1<<20)
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			break
		}
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096)
		_ = unix.Connect(fd, &unix.SockaddrInet4{Addr: loopback, Port: port})
		_ = unix.SetNonblock(fd, true)
		clients, accepted = append(clients, fd), append(accepted, acceptAll(l)...)
	}
	for _, fd := range accepted {
		if n, err := unix.Write(fd, data); err == nil {
			sent += n
		}
	}
	return clients, accepted, sent
}

// deliver sends n bytes to each of some connections, whose clients read: bytes that the kernel took within 3 s, how often it took
// none, and how many clients had all.
func deliver(clients, servers []int, n int) (took, refused, whole int) {
	data, b := make([]byte, n), make([]byte, 64<<10)
	sent, had := make([]int, len(servers)), make([]int, len(servers))
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end) && whole < len(servers); time.Sleep(5 * time.Millisecond) {
		for i, fd := range servers {
			if sent[i] < n {
				if k, err := unix.Write(fd, data[sent[i]:]); err == nil {
					sent[i] += k
					took += k
				} else {
					refused++
				}
			}
			if k, _ := unix.Read(clients[i], b); k > 0 {
				if had[i] += k; had[i] == n {
					whole++
				}
			}
		}
	}
	return took, refused, whole
}

// tcpMem: streams that do not read, and what is left for those that do.
func tcpMem(value string) error {
	const n, idle = 400, 200
	if err := sysctl("net.ipv4.tcp_mem", value); err != nil {
		return err
	}
	l, err := listen(loopback, 7060)
	if err != nil {
		return err
	}
	defer unix.Close(l)
	readers, _ := connect(idle, 7060)
	time.Sleep(200 * time.Millisecond)
	servers := acceptAll(l)
	pressures, drops := counter("TCPMemoryPressures"), counter("TCPRcvQDrop")
	clients, accepted, sent := unread(l, n, 7060)
	time.Sleep(time.Second)
	fmt.Printf("net.ipv4.tcp_mem %s: %d connections that do not read hold %d pages; the kernel took %d KiB for them\n", value, n, sockstat("mem"), sent>>10)
	for _, size := range []int{100, 4096, 32 << 10} {
		took, refused, whole := deliver(readers, servers, size)
		fmt.Printf("  an event of %5d B to %d idle streams that read: the kernel took %d B of %d, and refused %d times; %d had it\n",
			size, len(servers), took, size*len(servers), refused, whole)
	}
	more, _ := connect(100, 7060)
	time.Sleep(500 * time.Millisecond)
	others := acceptAll(l)
	_, refused, whole := deliver(others, more[:len(others)], 400)
	fmt.Printf("  100 more connections: %d were accepted, requests of 400 B came from %d, refused %d times; TCPMemoryPressures %+d, TCPRcvQDrop %+d\n",
		len(others), whole, refused, counter("TCPMemoryPressures")-pressures, counter("TCPRcvQDrop")-drops)
	for _, fds := range [][]int{clients, accepted, readers, servers, more, others} {
		reset(fds)
	}
	time.Sleep(time.Second)
	return nil
}

// orphans: the server closes connections whose clients have not read all.
func orphans(value string) error {
	const n = 400
	if err := sysctl("net.ipv4.tcp_max_orphans", value); err != nil {
		return err
	}
	l, err := listen(loopback, 7061)
	if err != nil {
		return err
	}
	defer unix.Close(l)
	clients, accepted, _ := unread(l, n, 7061)
	aborts := counter("TCPAbortOnMemory")
	closeAll(accepted)
	time.Sleep(500 * time.Millisecond)
	kept, whole, cut := sockstat("orphan"), 0, 0
	b := make([]byte, 1<<20)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && whole+cut < len(clients); time.Sleep(20 * time.Millisecond) {
		for i, fd := range clients {
			if fd < 0 {
				continue
			}
			switch got, err := unix.Read(fd, b); {
			case err == nil && got == 0:
				whole++
			case err != nil && err != unix.EAGAIN:
				cut++
			default:
				continue
			}
			unix.Close(fd)
			clients[i] = -1
		}
	}
	fmt.Printf("net.ipv4.tcp_max_orphans %s: %d connections closed with unsent data: %d kept, %d reset (TCPAbortOnMemory %+d); clients had all of %d, and an error of %d\n",
		value, n, kept, n-kept, counter("TCPAbortOnMemory")-aborts, whole, cut)
	return nil
}

func guest() {
	if err := wholeHost(); err != nil {
		fmt.Fprintln(os.Stderr, "settings:", err)
		os.Exit(1)
	}
}
