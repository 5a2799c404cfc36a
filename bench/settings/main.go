// Command settings shows what kernel settings do to very many streams: each before and after, as counts and bytes. It changes
// settings of its network namespace, and is to have one of its own: bench/host-settings.sh runs it so. Linux only.
//
// Usage: settings SSEDGE | --tracked | --guest
//
// --guest changes settings of the host: it is for a virtual machine of its own.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: settings SSEDGE")
		os.Exit(2)
	}
	switch os.Args[1] {
	case "--tracked":
		tracked()
		return
	case "--guest":
		guest()
		return
	}
	if _, err := os.Stat("/proc/sys/net/ipv4/tcp_mem"); err == nil {
		fmt.Fprintln(os.Stderr, "settings: expected a network namespace of its own (unshare -n), found the host's")
		os.Exit(1)
	}
	for _, show := range []func() error{
		somaxconn, halfOpen, slowStart, portRange, reuse, finWait,
		func() error { return buffers(os.Args[1]) },
	} {
		if err := show(); err != nil {
			fmt.Fprintln(os.Stderr, "settings:", err)
			os.Exit(1)
		}
		fmt.Println()
	}
}

// sysctl changes a setting.
func sysctl(name, value string) error {
	return os.WriteFile("/proc/sys/"+strings.ReplaceAll(name, ".", "/"), []byte(value), 0)
}

// counter is a number of /proc/net/netstat, which is of this network namespace.
func counter(name string) int {
	b, _ := os.ReadFile("/proc/net/netstat")
	lines := strings.Split(string(b), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		for j, n := range names {
			if n == name {
				v, _ := strconv.Atoi(values[j])
				return v
			}
		}
	}
	return -1
}

// listen opens a listener at a port of an address that asks for the longest queue.
func listen(address [4]byte, port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: address, Port: port}); err != nil {
		return -1, err
	}
	return fd, unix.Listen(fd, 65535)
}

var loopback = [4]byte{127, 0, 0, 1}

// connect opens n connections without waiting for them, and counts what connect says at once.
func connect(n, port int) (fds []int, errors map[error]int) {
	errors = map[error]int{}
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrInet4{Addr: loopback, Port: port})
		}
		if err != nil && err != unix.EINPROGRESS {
			errors[err]++
			unix.Close(fd)
			continue
		}
		fds = append(fds, fd)
	}
	return fds, errors
}

// acceptAll accepts what waits.
func acceptAll(listener int) (fds []int) {
	for {
		fd, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK)
		if err != nil {
			return fds
		}
		fds = append(fds, fd)
	}
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// reset closes connections without a trace of them.
func reset(fds []int) {
	for _, fd := range fds {
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		unix.Close(fd)
	}
}

// somaxconn: a burst while the server does not accept.
func somaxconn() error {
	const burst = 9000
	fmt.Printf("net.core.somaxconn: %d connections at once while the server does not accept; listen(65535)\n", burst)
	for _, value := range []string{"128", "4096", "10000"} {
		if err := sysctl("net.core.somaxconn", value); err != nil {
			return err
		}
		l, err := listen(loopback, 7001)
		if err != nil {
			return err
		}
		overflows, drops := counter("ListenOverflows"), counter("ListenDrops")
		clients, _ := connect(burst, 7001)
		time.Sleep(300 * time.Millisecond) // less than the second after which a lost SYN is sent again
		overflows, drops = counter("ListenOverflows")-overflows, counter("ListenDrops")-drops
		accepted := acceptAll(l)
		fmt.Printf("  %5s: %5d wait to be accepted, ListenOverflows %d, ListenDrops %d\n", value, len(accepted), overflows, drops)
		reset(clients)
		reset(accepted)
		unix.Close(l)
	}
	return nil
}

// portRange: more connections than ports.
func portRange() error {
	const n = 5000
	fmt.Printf("net.ipv4.ip_local_port_range: %d connections from one address to one address and port\n", n)
	for _, value := range []string{"32768 35767", "10240 65535"} {
		if err := sysctl("net.ipv4.ip_local_port_range", value); err != nil {
			return err
		}
		l, err := listen(loopback, 7002)
		if err != nil {
			return err
		}
		clients, errors := connect(n, 7002)
		fmt.Printf("  %s: %d connected, EADDRNOTAVAIL %d\n", value, len(clients), errors[unix.EADDRNOTAVAIL])
		accepted := acceptAll(l)
		reset(clients)
		reset(accepted)
		unix.Close(l)
	}
	return nil
}

// reuse: those that connect close first, and connect again.
func reuse() error {
	const n = 3000
	fmt.Printf("net.ipv4.tcp_tw_reuse: %d connections from %d ports, closed by those that connected, and 2 s later again\n", n, n)
	if err := sysctl("net.ipv4.ip_local_port_range", "32768 35767"); err != nil {
		return err
	}
	for i, value := range []string{"0", "1"} {
		if err := sysctl("net.ipv4.tcp_tw_reuse", value); err != nil {
			return err
		}
		port := 7003 + i // the other's TIME_WAIT is not to count
		tw := sockstat("tw")
		l, err := listen(loopback, port)
		if err != nil {
			return err
		}
		clients, _ := connect(n, port)
		accepted := acceptAll(l)
		closeAll(clients)
		closeAll(accepted)
		time.Sleep(2 * time.Second)
		waiting := sockstat("tw") - tw
		clients, errors := connect(n, port)
		fmt.Printf("  %s: %d entries in TIME_WAIT, %d connected again, EADDRNOTAVAIL %d\n", value, waiting, len(clients), errors[unix.EADDRNOTAVAIL])
		accepted = acceptAll(l)
		reset(clients)
		reset(accepted)
		unix.Close(l)
	}
	return sysctl("net.ipv4.ip_local_port_range", "10240 65535")
}

// finWait: the server closes, and clients do not.
func finWait() error {
	const n = 5000
	l, err := listen(loopback, 7010)
	if err != nil {
		return err
	}
	defer unix.Close(l)
	clients, _ := connect(n, 7010)
	accepted := acceptAll(l)
	tw, orphans, inuse := sockstat("tw"), sockstat("orphan"), sockstat("inuse")
	closeAll(accepted)
	time.Sleep(300 * time.Millisecond)
	fmt.Printf("net.ipv4.tcp_fin_timeout: %d connections that the server closed and clients did not\n", len(accepted))
	fmt.Printf("  60: sockets %+d, orphans %+d, small entries (tw) %+d\n", sockstat("inuse")-inuse, sockstat("orphan")-orphans, sockstat("tw")-tw)
	reset(clients)
	return nil
}

// tracked counts the entries of conntrack that connections make.
func tracked() {
	l, err := listen(loopback, 7050)
	if err != nil {
		fmt.Println(err)
		return
	}
	clients, _ := connect(1000, 7050)
	time.Sleep(100 * time.Millisecond)
	b, _ := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_count")
	fmt.Printf("%d connections, %s entries", len(acceptAll(l)), strings.TrimSpace(string(b)))
	reset(clients)
}

// sockstat is a number of the TCP line of /proc/net/sockstat.
func sockstat(name string) int {
	b, _ := os.ReadFile("/proc/net/sockstat")
	for line := range strings.Lines(string(b)) {
		if words := strings.Fields(line); words[0] == "TCP:" {
			for i, w := range words {
				if w == name {
					n, _ := strconv.Atoi(words[i+1])
					return n
				}
			}
		}
	}
	return -1
}

// slowStart: the congestion window of a connection before and after a pause.
func slowStart() error {
	fmt.Println("net.ipv4.tcp_slow_start_after_idle: window in segments (TCP_INFO snd_cwnd) after 8 MiB, after a pause of 3 s, and 1 byte later")
	for _, control := range []string{"cubic", "reno", "bbr"} {
		if err := sysctl("net.ipv4.tcp_congestion_control", control); err != nil {
			fmt.Printf("  %s: not to be had in this network namespace\n", control)
			continue
		}
		for _, value := range []string{"1", "0"} {
			if err := sysctl("net.ipv4.tcp_slow_start_after_idle", value); err != nil {
				return err
			}
			l, err := listen(loopback, 7020)
			if err != nil {
				return err
			}
			clients, _ := connect(1, 7020)
			accepted := acceptAll(l)
			s, c := accepted[0], clients[0]
			data, sink := make([]byte, 64<<10), make([]byte, 256<<10)
			for sent := 0; sent < 8<<20; {
				n, err := unix.Write(s, data)
				if err == nil {
					sent += n
				}
				_, _ = unix.Read(c, sink)
			}
			for { // all that was sent
				if n, err := unix.Read(c, sink); n <= 0 || err != nil {
					break
				}
			}
			before := window(s)
			time.Sleep(3 * time.Second)
			_, _ = unix.Write(s, data[:1])
			fmt.Printf("  %s, %s: %d, then %d\n", control, value, before, window(s))
			reset(clients)
			reset(accepted)
			unix.Close(l)
		}
	}
	return nil
}

func window(fd int) uint32 {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return info.Snd_cwnd
}
