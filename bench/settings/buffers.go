package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// buffers: what the kernel keeps for streams that are idle, and for those that do not read.
func buffers(ssedge string) error {
	const n, port = 4000, 7040
	fmt.Printf("net.ipv4.tcp_wmem, send buffers: %d streams of ssedge that do not read; bytes of the server's sockets each (skmem of ss: queued and reserved)\n", n)
	for _, c := range []struct{ wmem, lowat, buffer string }{
		{"4096 16384 4194304", "16384", "0"},
		{"4096 16384 4194304", "0", "0"},
		{"4096 65536 4194304", "0", "0"},
		{"4096 16384 4194304", "0", "16384"},
	} {
		if err := sysctl("net.ipv4.tcp_wmem", c.wmem); err != nil {
			return err
		}
		if err := full(ssedge, n, port, c.wmem, c.lowat, c.buffer); err != nil {
			return err
		}
	}
	return nil
}

func full(ssedge string, n, port int, wmem, lowat, buffer string) error {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	server := exec.Command(ssedge, "serve", "--dev", "--listen", address, "--admin", "off", "--not-sent-lowat", lowat, "--send-buffer", buffer, "--slow-policy", "gap", "--write-stall", "10m")
	server.Stdout, server.Stderr = nil, os.Stderr
	if err := server.Start(); err != nil {
		return err
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	for i := 0; ; i++ {
		if r, err := http.Get("http://" + address + "/"); err == nil {
			r.Body.Close()
			break
		} else if i == 50 {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	maps := areas(server.Process.Pid)
	request := []byte("GET /events?topic=news HTTP/1.1\r\nHost: " + address + "\r\n\r\n")
	var clients []int
	defer func() { reset(clients) }()
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		clients = append(clients, fd)
		// A window that is soon full, as that of a client elsewhere: what it keeps is not the server's.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096); err != nil {
			return err
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: loopback, Port: port}); err != nil {
			return err
		}
		if _, err := unix.Write(fd, request); err != nil {
			return err
		}
	}
	time.Sleep(2 * time.Second)
	idle, most, streams := held(port)
	if streams != n {
		return fmt.Errorf("expected %d streams, found %d", n, streams)
	}
	fmt.Printf("  tcp_wmem %s, --not-sent-lowat %s, --send-buffer %s\n    idle: %d sockets, mean %d, most %d; ssedge has %d memory areas, %d before\n",
		wmem, lowat, buffer, streams, idle/streams, most, areas(server.Process.Pid), maps)
	payload := bytes.Repeat([]byte("x"), 1024)
	for range 256 {
		r, err := http.Post("http://"+address+"/publish?topic=news", "text/plain", bytes.NewReader(payload))
		if err != nil {
			return err
		}
		r.Body.Close()
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(3 * time.Second)
	all, most, streams := held(port)
	fmt.Printf("    full (256 events of 1 KiB): %d sockets, mean %d, most %d\n", streams, all/max(streams, 1), most)
	return nil
}

var skmem = regexp.MustCompile(`skmem:\(r\d+,rb\d+,t\d+,tb\d+,f(\d+),w(\d+),`)

// held is what the kernel keeps for the server's ends of connections at a port: bytes of all, of the one with most, and how many.
func held(port int) (all, most, n int) {
	out, _ := exec.Command("ss", "-tnmOH", "state", "established", "sport", "=", ":"+strconv.Itoa(port)).Output()
	for line := range strings.Lines(string(out)) {
		if m := skmem.FindStringSubmatch(line); m != nil {
			reserved, _ := strconv.Atoi(m[1])
			queued, _ := strconv.Atoi(m[2])
			all, most, n = all+reserved+queued, max(most, reserved+queued), n+1
		}
	}
	return all, most, n
}

// areas is how many memory areas a process has.
func areas(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	return bytes.Count(b, []byte("\n"))
}
